#!/usr/bin/perl
# `iris` and its kin in the machine: notes the call, does what the scenario planted, and hands on to the stand-in.
use strict;
use warnings;

my ( $inside, $told, $standin ) = ( '@INSIDE@', '@TOLD@', '@STANDIN@' );
my %settings = (@SETTINGS@);
@ENV{ keys %settings } = values %settings;

my ($program) = $0 =~ m{([^/]+)$};
my @words = $program =~ /session$/ ? ( 'session', @ARGV ) : @ARGV;
my $verb = $words[0] // q{};
my $name = $#words > 0 ? $words[1] : q{};
my ($method) = "@words" =~ /Backup\.General\)?\s*\.\s*(\w+)/i;
my $what = lc( $method // $verb );
note();
for my $plant ( planted() ) {
    my ( $action, $argument, $text ) = @$plant;
    if ( $action eq 'end' ) { print "$text\n" if $text ne ''; exit $argument }
    if ( $action eq 'hang' ) { rest(3600) while 1 }
    if ( $action eq 'delay' ) { rest($argument) }
    if ( $action eq 'then' ) { system real(); print "$text\n" if $text ne ''; exit $argument }
    if ( $action eq 'late' ) { late($argument) }
    if ( $action eq 'list' ) { list( $argument, $text ); exit 0 }
}
exec real() or do { print STDERR "iris: the stand-in cannot be run: $!\n"; exit 126 };

# Perl's own sleep knows whole seconds only, and Time::HiRes is not in every Debian.
sub rest { return select undef, undef, undef, $_[0] }

sub real { return ( "$standin/$program", @ARGV ) }

# The engine goes on with what a session asked for, whatever becomes of the session.
sub late {
    my ($seconds) = @_;
    my $engine = fork;
    if ( !$engine ) {
        setpgrp;
        close STDOUT;
        close STDERR;
        rest($seconds);
        exec real();
    }
    waitpid $engine, 0;
    exit $? >> 8;
}

# A listing in which one instance has another state, or with lines of instances that are not here.
sub list {
    my ( $state, $text ) = @_;
    open my $listed, '-|', real() or exit 1;
    while (<$listed>) {
        if ( $state eq 'more' ) { print; next }
        if ( $verb eq 'qlist' ) {
            my @fields = split /\^/, $_, -1;
            $fields[3] = $text if $fields[0] eq $state;
            $_ = join '^', @fields;
        }
        elsif (/^..\s*>\Q$state\E\s/) { substr( $_, 0, 2 ) = '  ' }
        print;
    }
    return unless $state eq 'more';
    for my $line ( split /\x1e/, $text ) {
        my @fields = split /\^/, $line, -1;
        my $row = sprintf 'dn >%-16s  %-16s  %-5s  %s', @fields[ 0, 2, 5, 1 ];
        $row = substr( $row, 0, 78 ) . '~' if $verb eq 'qall' && length $row > 78;
        $row = "\nConfiguration '$fields[0]'\n\tdirectory:    $fields[1]\n\tversionid:    $fields[2]\n"
            . "\tstatus:       $fields[3]" if $verb eq 'list';
        print $verb eq 'qlist' ? $line : $row, "\n";
    }
    return;
}

sub note {
    my $secret = -e "$told/secret" ? first_line("$told/secret") : '';
    my $shown = $secret ne '' && grep( { index( $_ // '', $secret ) >= 0 } @ARGV, values %ENV ) ? 1 : 0;
    my ( $of, @kept ) = map { s/([\\\x00-\x1f])/sprintf '\\x%02x', ord $1/ger } uc $name, @ARGV;
    open my $calls, '>>', "$inside/calls" or return;
    syswrite $calls, sprintf "%d\t%d\t%s\t%s\t%s\t%d\t%s\n", time, $>, $program, $what, $of, $shown,
        join "\x1f", @kept;
    return;
}

# What is planted for this call: lines of what, instance, how often, action, argument, text. A negative number says
# after how many calls it begins.
sub planted {
    open my $plants, '<', "$told/plants" or return;
    my @found;
    while (<$plants>) {
        chomp;
        my ( $for, $instance, $times, @plant ) = split /\t/, $_, -1;
        next unless $what =~ /^(?:$for)$/ && ( $instance eq '*' || uc $instance eq uc $name );
        my $called = $times ? calls_of( $for, $instance ) : 0;
        next if $times && ( $times > 0 ? $called > $times : $called <= -$times );
        push @found, \@plant;
    }
    return @found;
}

sub calls_of {
    my ( $for, $instance ) = @_;
    open my $calls, '<', "$inside/calls" or return 0;
    return scalar grep {
        my ( undef, undef, undef, $called, $of ) = split /\t/;
        $called =~ /^(?:$for)$/ && ( $instance eq '*' || uc $instance eq $of )
    } <$calls>;
}

sub first_line {
    open my $file, '<', $_[0] or return '';
    my $line = <$file> // '';
    chomp $line;
    return $line;
}
