# chess.sh: two searches of sjeng's, one for each side. It stops searching when there is input, so the next order comes after its move.
rm -f /tmp/orders && mkfifo /tmp/orders || exit 1
exec 3<>/tmp/orders
next=go
cat /bench/in/game.xb >&3
sjeng </tmp/orders | while read -r line; do
    case $line in
    *Nodes:*) echo "$line" ;;
    move*)
        echo "$line"
        echo "$next" >&3
        next=quit
        ;;
    esac
done
