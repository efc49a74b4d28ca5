# Horizontal bars: table, indexes and WAL after each way, for the two columns.
set terminal svg size 900,860
set xlabel 'MB'
set xrange [0:*]
set yrange [*:*] reverse
set offsets 0, 0, 0.3, 0.3
set grid noytics
set multiplot layout 2,1
do for [block = 0:1] {
	set title block == 0 ? 'SET username (indexed)' \
	                     : 'SET first\_name (not indexed)'
	plot file index block \
	         using (0):0:(0):2:($0-0.4):($0-0.14):yticlabels(1) \
	         with boxxyerror linetype 1 title 'table', \
	     '' index block using (0):0:(0):3:($0-0.14):($0+0.13) \
	         with boxxyerror linetype 2 title 'indexes', \
	     '' index block using (0):0:(0):4:($0+0.13):($0+0.4) \
	         with boxxyerror linetype 3 title 'WAL'
}
unset multiplot
