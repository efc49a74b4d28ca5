#!/usr/bin/perl
#
# Check extension scripts for names that somebody else's objects can take.
#
#   script-check.pl [--marked] script...
#
# A script runs as a superuser, and all use what it makes.  A function or an
# operator that fits better than the one of pg_catalog, in a schema where others
# may create objects, would be called instead.  So either the script begins with
#
#   SET LOCAL search_path TO pg_catalog, pg_temp;
#
# or all that it calls, casts to and reads is qualified.  What it makes is
# qualified in any case, and so are these names wherever it uses them.  The same
# holds for the body of a function that is a string, for it is parsed at the call:
# the function sets that path, or all is qualified.  And a script does not take
# over what is already there.
#
# With --marked just the lines that say "-- bad" must be reported: with such
# scripts this one is tested.  test/t/031_install.pl looks at what PostgreSQL has
# found for the names.

use strict;
use warnings FATAL => 'all';

# Schemas that may be named: nobody else has objects there, or anywhere will do.
my $SCHEMA = qr/^(?:pg_catalog|bulkpar|\@extschema(?::\w+)?\@)$/;

my $SAFE_PATH = 'pg_catalog , pg_temp';

# Words before a parenthesis that are not names of functions.
my %GRAMMAR = words(<<'END');
all and any array as atomic between bit by case cast char character check coalesce
collation columns conflict constraint cube current_schema dec decimal default
distinct do else end except exclude execute exists extract filter float for from
full generated greatest group grouping having if in include inherits int integer
intersect interval into is join key lateral leading least left like limit
materialized national nchar normalize not numeric of offset on only operator or
order over overlay partition position precision primary references returning
returns rollup row rows select set sets similar some substring table then time
timestamp to treat trim union unique using values varchar view when where with
within xmlconcat xmlelement xmlexists xmlforest xmlparse xmlpi xmlroot xmlserialize
END

# Types of pg_catalog that are no words of the grammar.
my %TYPE = words(<<'END');
aclitem anyarray anyelement bool bpchar bytea cid cidr cstring date event_trigger
float4 float8 inet int2 int4 int8 internal json jsonb money name oid oidvector
record refcursor regclass regcollation regconfig regnamespace regoper regoperator
regproc regprocedure regrole regtype text tid timestamptz timetz trigger tsquery
tsvector uuid varbit void xid xid8 xml
END

# Kinds of objects that are in a schema, and are made by their name.
my %KIND = words(<<'END');
aggregate collation conversion domain function operator procedure sequence
statistics table type view
END

my $marked = @ARGV && $ARGV[0] eq '--marked' && shift @ARGV;
my (@reports, %own, %own_relation);
my $failed = @ARGV == 0;

foreach my $file (@ARGV)
{
	open(my $handle, '<:encoding(UTF-8)', $file) or die "$file: $!\n";
	my $text = do { local $/ = undef; <$handle> };
	close $handle;

	check_script($text);
	@reports = sort { $a->[0] <=> $b->[0] } @reports;
	@reports = compare_with_marks($text) if $marked;
	print "$file:$_->[0]: $_->[1]\n" foreach @reports;
	$failed ||= @reports > 0;
}
exit $failed;

sub words { return map { $_ => 1 } split ' ', $_[0]; }

sub report
{
	my ($token, $message) = @_;

	push @reports, [ $token->{line}, $message ];
	return;
}

# What is reported and not marked, or the other way round.
sub compare_with_marks
{
	my ($text) = @_;
	my @lines = split /\n/, $text;
	my %reported = map { $_->[0] => 1 } @reports;

	return (
		(grep { $lines[ $_->[0] - 1 ] !~ /-- bad/ } @reports),
		(map { [ $_, 'nothing was reported' ] }
			  grep { $lines[ $_ - 1 ] =~ /-- bad/ && !$reported{$_} }
			  1 .. @lines));
}

sub check_script
{
	my ($text) = @_;
	my @statements = statements(tokens($text, 1));
	my $safe = 0;

	@reports = ();
	%own = ();
	%own_relation = ();
	note_created($_) foreach @statements;
	foreach my $i (0 .. $#statements)
	{
		my $tokens = $statements[$i];

		if (text_of($tokens) =~ /^set (?:local |session )?search_path (?:to|=) (.*)/)
		{
			$safe = $i == 0 && $1 eq $SAFE_PATH;
			report($tokens->[0], 'search_path is set, but not first of all to '
				  . 'pg_catalog, pg_temp')
			  if !$safe;
			next;
		}
		check_statement($tokens, $safe);
	}
	return;
}

sub check_statement
{
	my ($tokens, $safe) = @_;
	my $statement = text_of($tokens);

	if ($statement =~ /^do /)
	{
		check_body($_, $safe) foreach grep { $_->{kind} =~ /string/ } @$tokens;
	}
	elsif ($statement =~ /^create (?:or replace )?(?:function|procedure) /)
	{
		check_function($tokens);
	}
	check_always($tokens);
	check_names($tokens)
	  if !$safe
	  && $statement !~ /^(?:alter|comment|drop|grant|revoke) /
	  && $statement !~ /^create (?:or replace )?(?:aggregate|operator) /;
	return;
}

# Check a body that is parsed with a safe search_path or with any.
sub check_body
{
	my ($string, $safe) = @_;

	check_statement($_, $safe)
	  foreach statements(tokens($string->{text}, $string->{line}));
	return;
}

sub check_function
{
	my ($tokens) = @_;
	my $statement = text_of($tokens);
	my ($language) = $statement =~ / language (\w+)/;
	my ($path) = $statement =~ / set search_path (?:to|=) (\S+(?: , \S+)*)/;
	my $safe = defined $path && $path eq $SAFE_PATH;

	report($tokens->[0], 'SECURITY DEFINER without SET search_path = '
		  . 'pg_catalog, pg_temp')
	  if $statement =~ / security definer/ && !$safe;
	report($tokens->[0], 'neither IMMUTABLE nor STABLE nor VOLATILE')
	  if $statement !~ / (?:immutable|stable|volatile)\b/
	  && $statement !~ /^create (?:or replace )?procedure /
	  && $statement !~ / returns (?:pg_catalog \. )?(?:internal|(?:event_)?trigger|\w+_handler)\b/;
	return if ($language // 'sql') eq 'c' || $statement !~ / as \S*'/;
	foreach my $i (1 .. $#$tokens)
	{
		check_body($tokens->[$i], $safe)
		  if $tokens->[$i]{kind} =~ /string/ && $tokens->[ $i - 1 ]{text} eq 'as';
	}
	return;
}

# Remember the names of what the script makes, which have to be qualified.
sub note_created
{
	my ($tokens) = @_;
	my $statement = text_of($tokens);
	my $qualifier = 'or replace |unlogged |temp |temporary |foreign |materialized |recursive ';

	return if $statement !~ /^create (?:$qualifier)*(\w+) (?:if not exists )?(.*)/s;
	my ($kind, $name) = ($1, $2);
	return if !$KIND{$kind} || $statement =~ /^create operator (?:class|family) /;

	my ($schema, $object) = $name =~ /^(?:(\S+) \. )?(\S+)/;
	report($tokens->[0], "$kind $object in schema $schema")
	  if defined $schema && $schema !~ $SCHEMA;
	report($tokens->[0], "operator $object without its schema")
	  if !defined $schema && $kind eq 'operator';
	$own{$object} = 1 if $kind ne 'operator';
	$own_relation{$object} = 1 if $kind =~ /^(?:sequence|table|view)$/;
	return;
}

# What must not be, however names are looked up.
sub check_always
{
	my ($tokens) = @_;

	foreach my $i (0 .. $#$tokens)
	{
		my $token = $tokens->[$i];
		my $text = $token->{text};
		my $following = text_of([ map { at($tokens, $i + $_) } 0 .. 3 ]);

		report($token, '@extschema@ in quotes')
		  if $token->{kind} =~ /string|quoted/ && $text =~ /\@extschema/;
		report($token, "'$text' without its schema")
		  if $token->{kind} eq 'string' && is_own($text, \%own_relation);
		next if !is_name($token);
		report($token, 'CREATE OR REPLACE')
		  if $following =~ /^create or replace /;
		report($token, 'IF NOT EXISTS') if $following =~ /^if not exists [^(]/;
		report($token, 'set_config of search_path')
		  if $following =~ /^set_config \( '' / && at($tokens, $i + 2)->{text} eq 'search_path';
		report($token, "a name of schema $text")
		  if $following =~ /^\S+ \. / && $text =~ /^(?:public|pg_temp)$/;
		report($token, "$text without its schema")
		  if is_own($text, \%own)
		  && at($tokens, $i - 1)->{text} !~ /^(?:\.|schema|extension|as)$/;
	}
	return;
}

# Whether a name is one that the script has made, or a sequence of such a table.
sub is_own
{
	my ($name, $names) = @_;

	return $names->{$name}
	  || $name =~ /_seq$/ && grep { index($name, "${_}_") == 0 } keys %own_relation;
}

# The same where other schemas may be searched: nothing is left to that.
sub check_names
{
	my ($tokens) = @_;
	my $statement = text_of($tokens);
	my %with = map { $_ => 1 }
	  $statement =~ /(?:\bwith (?:recursive )?|\) , )(\w+) (?:\([^()]*\) )?as (?:not )?(?:materialized )?\(/g;
	my @openers;

	foreach my $i (0 .. $#$tokens)
	{
		my $token = $tokens->[$i];
		my $context = {
			statement => $statement,
			opener => $openers[-1] // '',
			with => \%with,
			second => at($tokens, $i - 2),
			before => at($tokens, $i - 1),
			after => at($tokens, $i + 1)
		};

		if ($token->{text} eq '(' && $token->{kind} eq 'punctuation')
		{
			push @openers, $context->{before}{text};
		}
		elsif ($token->{text} eq ')' && $token->{kind} eq 'punctuation')
		{
			pop @openers;
		}
		elsif ($token->{kind} eq 'operator')
		{
			report($token, "operator $token->{text}")
			  if is_looked_up($token, $context);
		}
		elsif (is_name($token)
			&& $context->{before}{text} ne '.'
			&& !is_own($token->{text}, \%own))
		{
			my $use = use_of($token, $context);

			report($token, "$use $token->{text}") if defined $use;
		}
	}
	return;
}

# Whether an operator is one, and not a part of the grammar.
sub is_looked_up
{
	my ($token, $context) = @_;
	my $before = $context->{before};

	return 0 if $context->{opener} eq 'operator';
	if ($token->{text} eq '*')
	{
		return $before->{text} !~ /^(?:[(,.]|select|distinct|all|returning)$/;
	}
	if ($token->{text} eq '=')
	{
		return $context->{opener} ne 'with'
		  && !($context->{second}{text} =~ /^(?:set|local|,)$/
			&& $context->{statement} =~ /\bset\b/);
	}
	return !($token->{text} =~ /^[-+]$/
		&& $context->{after}{kind} eq 'number'
		&& ($before->{text} =~ /^[(,[]$/ || $before->{kind} eq 'operator'
			|| $GRAMMAR{ $before->{text} }));
}

# What kind of a name that is looked up an unqualified word is, if it is one.
sub use_of
{
	my ($token, $context) = @_;
	my ($text, $statement) = ($token->{text}, $context->{statement});
	my ($before, $after) = ($context->{before}, $context->{after});
	my $words = "$before->{text} $text $after->{text}";

	return 'operator of'
	  if $token->{kind} eq 'word'
	  && ($words =~ /(?:^| )(?:in|nullif) \($|distinct from$|similar to$| between /
		|| $words =~ /^[^(,]* i?like /
		|| $words =~ / case / && $words !~ / case when$/ && $words !~ /^end /
		|| $words =~ / natural | using \($/ && $statement =~ /\bjoin\b/);
	return 'type' if is_type($token, $context);
	return
	  if $after->{text} eq '.'
	  || $GRAMMAR{$text} && $token->{kind} eq 'word'
	  || $context->{with}{$text};
	return 'collation' if $before->{text} eq 'collate';
	return 'relation' if is_relation($token, $context);
	return 'call of'
	  if $after->{text} eq '('
	  && $before->{text} !~ /^(?:\)|as|table|type|view|aggregate)$/
	  && ($before->{text} !~ /^(?:function|procedure)$/
		|| $context->{second}{text} eq 'execute');
	return;
}

sub is_relation
{
	my ($token, $context) = @_;
	my ($before, $second) = ($context->{before}{text}, $context->{second}{text});

	return 1 if $before eq 'references' || $before eq 'into' && $second eq 'insert';
	return 1
	  if $before eq 'on'
	  && $context->{statement} =~ /^create (?:unique )?(?:index|trigger) /;
	return 0 if $context->{after}{text} eq '(';
	return 1
	  if $before eq 'join' || $before eq 'update' && $second =~ /^[(]?$/;
	return $before eq 'from'
	  && $second ne 'distinct'
	  && $context->{opener} !~ /^(?:extract|overlay|position|substring|trim)$/;
}

sub is_type
{
	my ($token, $context) = @_;
	my ($before, $after) = ($context->{before}, $context->{after});

	return 0 if !$TYPE{ $token->{text} } || $token->{kind} ne 'word';
	return 1 if $before->{text} =~ /^(?:::|returns|setof)$/;
	return 1 if $context->{opener} eq 'cast' && $before->{text} eq 'as';
	return 0
	  if $context->{statement} !~ /^create (?:or replace )?(?:table|type|domain|function|procedure|unlogged) /;
	return is_name($before) && $before->{text} !~ /^(?:as|select|by|default)$/
	  || $before->{text} =~ /^[(,]$/ && !is_name($after)
	  && $context->{statement} =~ /^create (?:or replace )?(?:function|procedure) /;
}

# The tokens of a text that begins at a line: words in lower case, other tokens
# as they are, of strings and quoted names what is between the quotes.
sub tokens
{
	my ($text, $line) = @_;
	my @tokens;

	while ($text !~ /\G\z/gc)
	{
		my $start = pos($text) // 0;
		my ($kind, $value) = next_token(\$text);

		push @tokens, { kind => $kind, text => $value, line => $line }
		  if $kind ne 'space';
		$line += substr($text, $start, pos($text) - $start) =~ tr/\n//;
	}
	return @tokens;
}

# The next token of a text and its kind.
sub next_token
{
	my ($text) = @_;

	return ('space', '') if $$text =~ /\G(?:\s+|--[^\n]*|^\\[^\n]*)/gcm;
	if ($$text =~ m{\G/\*}gc)
	{
		my $depth = 1;

		while ($depth > 0 && $$text =~ m{\G.*?(/\*|\*/)}gcs)
		{
			$depth += $1 eq '/*' ? 1 : -1;
		}
		return ('space', '');
	}
	return ('string', $1)
	  if $$text =~ /\Ge'((?:[^'\\]|''|\\.)*)'/gcis
	  || $$text =~ /\G(?:[bxn]|u&)?'((?:[^']|'')*)'/gcis;
	return ('dollar string', $2) if $$text =~ /\G\$((?:[a-z_]\w*)?)\$(.*?)\$\1\$/gcis;
	return ('quoted', $1) if $$text =~ /\G(?:u&)?"((?:[^"]|"")*)"/gcis;
	return ('name', $&) if $$text =~ /\G\@extschema(?::\w+)?\@/gc;
	return ('word', lc $&) if $$text =~ /\G[a-z_\x80-\x{10ffff}][\w\$]*/gci;
	return ('number', $&)
	  if $$text =~ /\G(?:\d+(?:\.(?!\.)\d*)?|\.\d+)(?:e[+-]?\d+)?|\G\$\d+/gci;
	return ('punctuation', $&) if $$text =~ /\G(?:::|:=|=>|\.\.|[][(),;.:])/gc;
	return ('operator', $&) if $$text =~ m{\G(?:(?!--|/\*)[-+*/<>=~!\@#%^&|`?])+}gc;
	$$text =~ /\G./gcs;
	return ('unknown', $&);
}

# The statements of tokens; those of BEGIN ATOMIC belong to the one around them.
sub statements
{
	my @statements = ([]);
	my $atomic = 0;

	foreach my $token (@_)
	{
		if ($token->{kind} eq 'word')
		{
			$atomic++
			  if $token->{text} eq 'atomic'
			  || $atomic && $token->{text} eq 'case';
			$atomic-- if $atomic && $token->{text} eq 'end';
		}
		if ($token->{text} eq ';' && $token->{kind} eq 'punctuation' && !$atomic)
		{
			push @statements, [];
			next;
		}
		push @{ $statements[-1] }, $token;
	}
	return grep { @$_ > 0 } @statements;
}

# The token at a place, or an empty one where there is none.
sub at
{
	my ($tokens, $i) = @_;

	return $tokens->[$i] if $i >= 0 && $i <= $#$tokens;
	return { kind => 'none', text => '' };
}

sub is_name { return $_[0]{kind} =~ /^(?:name|quoted|word)$/; }

# Tokens as text with a space between any two, strings without what is in them.
sub text_of
{
	my ($tokens) = @_;

	return join ' ', map { $_->{kind} =~ /string/ ? "''" : $_->{text} } @$tokens;
}
