# Lines: the lag of a standby over time, one for each way.
set title 'How far a slow standby is behind while 500,000 rows are updated'
set xlabel 'seconds'
set ylabel 'lag in seconds'
set xrange [0:*]
set yrange [0:*]
set key inside top left vertical maxrows 4
set style data lines
set linetype 4 linecolor '#c0392b' linewidth 2 pointtype 11
plot for [way = 2:5] file using 1:way title columnheader(way) noenhanced
