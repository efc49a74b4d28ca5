# Lines: time per row against the rows of the table.
set title 'Time per row against the size of the table'
set xlabel 'rows of auth\_user (log scale)'
set ylabel 'microseconds per row'
set logscale x
set format x '%.0s%c'
set yrange [0:*]
set style data linespoints
plot file using 1:2 title 'one UPDATE, first\_name', \
     '' using 1:3 title 'bulkpar, first\_name', \
     '' using 1:4 title 'bulkpar, username'
