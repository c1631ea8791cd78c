# chess.sh: one search of sjeng's. It stops searching when there is input, so "quit" comes after its move.
rm -f /tmp/orders && mkfifo /tmp/orders || exit 1
exec 3<>/tmp/orders
cat /bench/in/game.xb >&3
sjeng </tmp/orders | while read -r line; do
    case $line in
    *Nodes:*) echo "$line" ;;
    move*)
        echo "$line"
        echo quit >&3
        ;;
    esac
done
