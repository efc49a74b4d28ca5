# What all plots have in common. "file" is the table that data.py has made.
set terminal svg size 900,460 background 'white' font 'sans-serif,13'
set datafile separator '\t'
set datafile missing '?'
set border 3 linecolor 'gray40'
set tics nomirror textcolor 'black'
set grid linetype 1 linecolor 'gray75' linewidth 0.5
set key below center maxrows 1 samplen 1.5
set style fill solid
set linetype 1 linecolor '#336791' linewidth 2 pointtype 7
set linetype 2 linecolor '#e08e2b' linewidth 2 pointtype 5
set linetype 3 linecolor '#5aa469' linewidth 2 pointtype 9
