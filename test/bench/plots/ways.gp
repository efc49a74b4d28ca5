# Horizontal bars: the time of each way for the two columns.
set title 'Time to update every row of auth\_user'
set xlabel 'seconds'
set xrange [0:*]
set yrange [*:*] reverse
set offsets 0, 0, 0.3, 0.3
set grid noytics
plot file using (0):0:(0):2:($0-0.36):($0):yticlabels(1) \
         with boxxyerror linetype 1 title 'username (indexed)', \
     '' using (0):0:(0):3:($0):($0+0.36) \
         with boxxyerror linetype 2 title 'first\_name (not indexed)'
