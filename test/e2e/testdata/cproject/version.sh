#!/bin/sh
# Prints version.h for the file $1: its first line is the version, the second
# the name of the release.
set -e
version=$(head -n 1 "$1")
printf '#define VERSION "%s"\n' "$version"

# A subshell of its own, which forks and does not exec.
(
	cd "$(dirname "$1")"
	name=$(sed -n 2p "$1" | tr a-z A-Z)
	printf '#define RELEASE "%s"\n' "$name"
)
