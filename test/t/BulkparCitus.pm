# Three servers that are nodes of Citus: the real one where it is installed, or in
# a tree that BULKPAR_CITUS names ("make install DESTDIR=..."), and otherwise a
# stub of those of its catalogs and functions that bulkpar reads and calls.

package BulkparCitus;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';

use BulkparTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Time::HiRes qw(usleep);

our @EXPORT = qw(citus_is_real start_citus on_nodes distribute placements placed_rows move_shard split_shard);

# What shards of the stub are numbered from, as in Citus.
my $next_shard = 102008;

my @servers;
my $real;

# Where the libraries of the server are.
sub library_path
{
	my $path = `@{[ $ENV{PG_CONFIG} // 'pg_config' ]} --pkglibdir`;

	chomp $path;
	return $path;
}

sub citus_is_real
{
	$real //= -e (($ENV{BULKPAR_CITUS} // '') . library_path() . '/citus.so') ? 1 : 0;
	return $real;
}

# Settings by which a server finds both Citus and bulkpar: a server has one tree of
# extensions besides its own.
sub real_settings
{
	my $settings = "shared_preload_libraries = 'citus'\nwal_level = logical\nmax_wal_senders = 10\nmax_replication_slots = 10\n"
	  . "max_prepared_transactions = 20\ncitus.node_conninfo = 'sslmode=prefer'\n"
	  . "citus.enable_statistics_collection = off\nmax_worker_processes = 40\n";

	return $settings if !$ENV{BULKPAR_CITUS};

	my $config = slurp_file($ENV{TEMP_CONFIG});
	my ($ours) = $config =~ /^extension_destdir = '(.*)'$/m
	  or die 'BULKPAR_CITUS needs a server with the setting extension_destdir';
	my $both = PostgreSQL::Test::Utils::tempdir;

	system_or_bail('cp', '-r', "$ENV{BULKPAR_CITUS}/.", "$ours/.", $both);
	# It looks for its own version where it is not.
	return $settings . "citus.enable_version_checks = off\nextension_destdir = '$both'\n"
	  . "dynamic_library_path = '$both" . library_path() . ":\$libdir'\n";
}

# What a node of the stub has.
sub stub_sql
{
	my ($group) = @_;
	my $nodes = join ', ',
	  map { "($_, $_, '" . $servers[$_]->host . "', " . $servers[$_]->port . ')' } 0 .. $#servers;

	return <<"END";
SET allow_system_table_mods = on;
CREATE TABLE pg_catalog.pg_dist_partition (logicalrelid regclass, partmethod "char", partkey text,
	colocationid integer, repmodel "char");
CREATE TABLE pg_catalog.pg_dist_shard (logicalrelid regclass, shardid bigint);
CREATE TABLE pg_catalog.pg_dist_placement (shardid bigint, shardstate integer, groupid integer);
CREATE TABLE pg_catalog.pg_dist_node (nodeid integer, groupid integer, nodename text, nodeport integer,
	noderole text DEFAULT 'primary', isactive boolean DEFAULT true, metadatasynced boolean DEFAULT true);
CREATE TABLE pg_catalog.pg_dist_local_group (groupid integer);
CREATE TABLE pg_catalog.pg_dist_authinfo (nodeid integer, rolename name, authinfo text);
INSERT INTO pg_dist_node VALUES $nodes;
INSERT INTO pg_dist_local_group VALUES ($group);
CREATE FUNCTION pg_catalog.lock_shard_metadata(integer, bigint[]) RETURNS void LANGUAGE plpgsql AS \$\$
BEGIN
	IF \$1 = 5 THEN
		PERFORM pg_advisory_xact_lock_shared(s) FROM unnest(\$2) s;
	ELSE
		PERFORM pg_advisory_xact_lock(s) FROM unnest(\$2) s;
	END IF;
END \$\$;
CREATE FUNCTION pg_catalog.shard_name(regclass, bigint) RETURNS text LANGUAGE sql AS
	\$\$SELECT CASE WHEN nspname = 'public' THEN '' ELSE quote_ident(nspname) || '.' END || quote_ident(relname || '_' || \$2)
	FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE c.oid = \$1\$\$;
CREATE FUNCTION pg_catalog.relation_is_a_known_shard(regclass) RETURNS boolean LANGUAGE sql AS
	\$\$SELECT EXISTS (SELECT FROM pg_dist_shard s JOIN pg_class l ON l.oid = s.logicalrelid JOIN pg_class c
	ON c.relname = l.relname || '_' || s.shardid AND c.relnamespace = l.relnamespace WHERE c.oid = \$1)\$\$;
CREATE FUNCTION pg_catalog.column_to_column_name(regclass, text) RETURNS text LANGUAGE sql AS 'SELECT \$2';
GRANT SELECT ON pg_dist_partition, pg_dist_shard, pg_dist_placement, pg_dist_node, pg_dist_local_group TO PUBLIC;
END
}

# The coordinator and the workers of Citus, with bulkpar and the functions of
# BulkparTest on all of them.
sub start_citus
{
	my ($settings, @names) = @_;

	$settings .= "\n" . (citus_is_real() ? real_settings() : '');
	@servers = map { PostgreSQL::Test::Cluster->new($_) } @names;
	foreach my $server (@servers)
	{
		$server->init;
		$server->append_conf('postgresql.conf', <<"END");
autovacuum = off
bulkpar.lock_wait = 0
bulkpar.report = off
max_worker_processes = 20
$settings
END
		$server->append_conf('postgresql.conf', sprintf("citus.local_hostname = '%s'", $server->host)) if $real;
		$server->start;
		$server->safe_psql('postgres', 'CREATE EXTENSION citus') if $real;
	}
	if (!$real)
	{
		$servers[$_]->safe_psql('postgres', stub_sql($_)) foreach 0 .. $#servers;
		install($_) foreach @servers;
		return @servers;
	}

	my ($first, @others) = @servers;

	$first->safe_psql('postgres', sprintf("SELECT citus_set_coordinator_host('%s', %d)", $first->host, $first->port));
	$first->safe_psql('postgres', sprintf("SELECT citus_add_node('%s', %d)", $_->host, $_->port)) foreach @others;
	install($first);
	return @servers;
}

# SQL on all nodes; with Citus that of the coordinator reaches all of them.
sub on_nodes
{
	my ($sql) = @_;

	$_->safe_psql('postgres', $sql) foreach $real ? $servers[0] : @servers;
	return;
}

# Distribute a table by a column, in so many shards, over the nodes with these
# numbers.  With Citus they are the workers.
sub distribute
{
	my ($table, $column, $shards, @groups) = @_;

	if ($real)
	{
		$servers[0]->safe_psql('postgres',
			"SELECT create_distributed_table('$table', '$column', shard_count => $shards, colocate_with => 'none')");
		return;
	}
	foreach my $number (0 .. $shards - 1)
	{
		my $shard = $next_shard++;
		my $group = $groups[ $number % @groups ];

		on_nodes("INSERT INTO pg_dist_shard VALUES ('$table', $shard);"
			  . "INSERT INTO pg_dist_placement VALUES ($shard, 1, $group)");
		$servers[$group]->safe_psql('postgres', "CREATE TABLE ${table}_$shard (LIKE $table INCLUDING ALL)");
	}
	on_nodes("INSERT INTO pg_dist_partition VALUES ('$table', 'h', '$column', 1, 's')");
	return;
}

# The shards of a table, each with the server that has it.
sub placements
{
	my ($table) = @_;
	my @shards = split /\n/, $servers[0]->safe_psql('postgres', <<"END");
SELECT s.shardid, d.nodeport FROM pg_dist_shard s JOIN pg_dist_placement p USING (shardid)
JOIN pg_dist_node d USING (groupid) WHERE s.logicalrelid = '$table'::regclass AND p.shardstate = 1 ORDER BY 1
END

	return map
	{
		my ($shard, $port) = split /\|/;
		my ($server) = grep { $_->port == $port } @servers;

		[ $shard, $server ]
	} @shards;
}

# What a SELECT gives of all shards of a table, where $shard is the name of each.
sub placed_rows
{
	my ($table, $select) = @_;

	return map { $_->[1]->safe_psql('postgres', $select =~ s/\$shard/${table}_$_->[0]/r) } placements($table);
}

# Move a shard of a table to another server, as Citus does.
sub move_shard
{
	my ($table, $shard, $to, $mode) = @_;
	my ($from) = map { $_->[1] } grep { $_->[0] == $shard } placements($table);
	my ($group) = grep { $servers[$_] == $to } 0 .. $#servers;
	my $move = "UPDATE pg_dist_placement SET groupid = $group WHERE shardid = $shard";

	if ($real)
	{
		# What an earlier move has left behind is dropped when nobody uses it.
		until ($to->safe_psql('postgres', "SELECT to_regclass('${table}_$shard') IS NULL") eq 't')
		{
			$servers[0]->safe_psql('postgres', 'CALL citus_cleanup_orphaned_resources()');
			usleep(100_000);
		}
		$servers[0]->safe_psql('postgres', sprintf("SELECT citus_move_shard_placement(%d, '%s', %d, '%s', %d, '%s')",
				$shard, $from->host, $from->port, $to->host, $to->port, $mode));
		return;
	}

	my $mover = $from->background_psql('postgres');

	$to->safe_psql('postgres', "SET client_min_messages = warning; CREATE EXTENSION IF NOT EXISTS dblink;"
		  . "DROP TABLE IF EXISTS ${table}_$shard; CREATE TABLE ${table}_$shard (LIKE $table INCLUDING ALL)");
	$mover->query_safe("BEGIN; SELECT lock_shard_metadata(7, ARRAY[$shard])");
	$to->safe_psql('postgres', sprintf("INSERT INTO %s_%d SELECT * FROM dblink('host=%s port=%d dbname=postgres', 'SELECT * FROM %s_%d')"
			  . ' AS t(id integer, n integer, note text)', $table, $shard, $from->host, $from->port, $table, $shard));
	$_->safe_psql('postgres', $move) foreach grep { $_ != $from } @servers;
	$mover->query_safe("$move; COMMIT");
	$mover->quit;
	return;
}

# Split a shard of a table in two, on the node that has it.  The stub just forgets
# it, with its rows.
sub split_shard
{
	my ($table, $shard) = @_;

	if (!$real)
	{
		$_->safe_psql('postgres', "DELETE FROM pg_dist_shard WHERE shardid = $shard; DELETE FROM pg_dist_placement WHERE shardid = $shard")
		  foreach @servers;
		return;
	}
	$servers[0]->safe_psql('postgres', <<"END");
SELECT citus_split_shard_by_split_points(s.shardid, ARRAY[((s.shardminvalue::bigint + s.shardmaxvalue::bigint) / 2)::text],
	ARRAY[d.nodeid, d.nodeid], 'block_writes')
FROM pg_dist_shard s JOIN pg_dist_placement p USING (shardid) JOIN pg_dist_node d USING (groupid) WHERE s.shardid = $shard
END
	return;
}

1;
