# words.pl: text made, split, counted, matched and sorted. words.pl SENTENCES
use strict;

my ($sentences) = @ARGV;
my $seed = 42;
sub draw { $seed = ($seed * 1103515245 + 12345) & 0x7fffffff; return ($seed >> 8) % $_[0]; }

my @syllables = qw(ka lo mi ra tes un for pel dan gri sho ve);
my @vocabulary = map { join '', map { $syllables[draw(12)] } 0 .. 1 + draw(3) } 1 .. 2000;
my (%count, %follows, $matches, $letters);
my $last = '';
for my $n (1 .. $sentences) {
    my $text = join(' ', map { $vocabulary[draw(1 + draw(2000))] } 1 .. 12) . '.';
    $text =~ s/\b(\w)(\w*)/\U$1\E$2/ if $n % 3 == 0;
    $matches++ while $text =~ /(?:ka|ra)(\w+?)(?:mi|ve)\b/g;
    ($letters .= $text) =~ tr/aeiou//cd if $n % 16 == 0;
    $letters = '' if length $letters > 10000;
    for my $word (split /[\s.]+/, lc $text) {
        $count{$word}++;
        $follows{$last}{$word}++ if length $last > 6;
        $last = $word;
    }
}
my @top = sort { $count{$b} <=> $count{$a} || $a cmp $b } keys %count;
printf "%-12s %d\n", $_, $count{$_} for @top[0 .. 9];
printf "%d words, %d pairs, %d matches\n", scalar @top, scalar(map { keys %$_ } values %follows), $matches;
