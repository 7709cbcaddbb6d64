#!/bin/sh
# Makes examples/data/chr20 (a slice of a real reference, reads simulated from it) and, beside this file, what two
# other programs say about it: wgsim.tsv, the changes that the simulator made (the truth), and bcftools.vcf, the
# variants that bcftools calls from the same reads.
#
#     sh make_genome.sh GRCh37_chr20_1-12M.fa.gz
#
# The argument is the first 12 Mb of chromosome 20 of GRCh37, from Debian's package vt-examples (20.fa.gz inside).
# Programs, all of Debian 12: samtools 1.16.1 (with wgsim), bwa 0.7.17, bcftools 1.16, tabix 1.16 (bgzip).
set -eu
source=$(realpath "$1")
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
cd "$work"

{ echo '>chr20_slice GRCh37 20:5000001-5060000'
  zcat "$source" | grep -v '>' | tr -d '\n' | cut -c5000001-5060000 | fold -w 60; } > chr20_slice.fa

# 9,000 pairs of 2 x 100 bases are 30 reads deep. One base in 500 is changed, an indel in 15 % of the cases; half of
# the changes are on one of the two chromosomes only. One read base in 50 is wrong, and its quality says so.
wgsim -S 20 -N 9000 -1 100 -2 100 -r 0.002 -e 0.02 chr20_slice.fa 1.fq 2.fq > wgsim.tsv

bwa index chr20_slice.fa
bwa mem -K 10000000 -R '@RG\tID:sim\tSM:sim' chr20_slice.fa 1.fq 2.fq | samtools sort --no-PG -o reads.bam -

bcftools mpileup --no-version -f chr20_slice.fa reads.bam | bcftools call --no-version -mv -Ov -o bcftools.vcf

bgzip chr20_slice.fa
mv chr20_slice.fa.gz "$here/../chr20/reference.fa.gz"
mv reads.bam "$here/../chr20/"
grep -v '^##reference=' bcftools.vcf > "$here/bcftools.vcf"
mv wgsim.tsv "$here/"
rm -r "$work"
