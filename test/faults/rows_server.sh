# Rows of the matrix: standbys, and disks that are full. Sourced by run.sh.
# shellcheck shell=bash disable=SC2034,SC2154
