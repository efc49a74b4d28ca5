# A client that speaks the extended protocol: portals that are read in pieces,
# several statements before a Sync, and what no client library would send.
#
# Messages are collected with the functions that have their names, and sent by
# answers().

package BulkparProtocol;

use strict;
use warnings FATAL => 'all';

use IO::Socket::UNIX;

# Connect to a node as a role, which needs no password, with options of the
# server.
sub new
{
	my ($class, $node, $role, $options) = @_;
	my $socket = IO::Socket::UNIX->new($node->host . '/.s.PGSQL.' . $node->port)
	  or die "could not connect: $!";
	my $self = bless { socket => $socket, out => '' }, $class;
	my $startup = pack('N', 3 << 16) . join(
		'',
		map { "$_\0" } user => $role,
		database => 'postgres',
		options => $options,
		'');

	$self->{out} = pack('N', length($startup) + 4) . $startup;
	$self->answers;
	return $self;
}

sub add
{
	my ($self, $type, $body) = @_;

	$self->{out} .= $type . pack('N', length($body) + 4) . $body;
	return $self;
}

sub query { return $_[0]->add('Q', "$_[1]\0"); }

sub parse { return $_[0]->add('P', "$_[1]\0$_[2]\0" . pack('n', 0)); }

# Bind text parameters to a statement; the names of portal and statement may be
# empty.
sub bind
{
	my ($self, $portal, $statement, @values) = @_;

	return $self->add('B',
		"$portal\0$statement\0"
		  . pack('n n', 0, scalar @values)
		  . join('', map { pack('N/a*', $_) } @values)
		  . pack('n', 0));
}

# Execute a portal; so many rows at the most, or all of them if that is 0.
sub execute { return $_[0]->add('E', "$_[1]\0" . pack('N', $_[2])); }

sub describe { return $_[0]->add('D', "P$_[1]\0"); }

sub close { return $_[0]->add('C', "P$_[1]\0"); }

sub sync { return $_[0]->add('S', ''); }

sub terminate { return $_[0]->add('X', ''); }

# Send what was collected.
sub flush
{
	my ($self) = @_;

	$self->{socket}->syswrite($self->{out}) == length $self->{out}
	  or die "could not send: $!";
	$self->{out} = '';
	return;
}

# Send what was collected, of which the last must be a Sync or a query, and
# return what comes back until the server is ready: the types of the messages,
# and of an error the SQLSTATE.
sub answers
{
	my ($self) = @_;
	my @answers;

	$self->flush;
	while (1)
	{
		my ($type, $length) = unpack('a N', $self->read_bytes(5));
		my $body = $self->read_bytes($length - 4);

		push @answers, $type eq 'E' ? ($body =~ /\0C(\w{5})\0/) : $type
		  unless $type =~ /[NSKR]/;
		last if $type eq 'Z';
	}
	return join ' ', @answers;
}

# So many bytes from the server.
sub read_bytes
{
	my ($self, $count) = @_;
	my $bytes = '';

	while (length $bytes < $count)
	{
		my $read = $self->{socket}->sysread($bytes, $count - length $bytes,
			length $bytes);

		die "the server has closed the connection\n" unless $read;
	}
	return $bytes;
}

1;
