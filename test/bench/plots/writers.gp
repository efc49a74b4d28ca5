# Bars, log scale: how long users of the table wait in the three situations.
set title 'Latency for two pgbench clients on the same table meanwhile'
set ylabel 'milliseconds (log scale)'
set logscale y
set yrange [0.01:*]
set grid noxtics
set style data histograms
set style histogram clustered gap 1
plot file using 2:xticlabels(1) linetype 1 title 'reads, p99', \
     '' using 3 linetype 2 title 'writes, p99', \
     '' using 4 linetype 3 title 'writes, longest'
