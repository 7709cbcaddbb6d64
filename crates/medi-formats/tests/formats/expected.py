"""Counts what the files in examples/data hold, with readers that have nothing to do with this project.

Run in examples/data: `pip install pandas pysam && python ../../crates/medi-formats/tests/formats/expected.py`.
real_files.rs expects what it printed (python 3.11, pandas 3.1.1, pysam 0.24.1).
"""
import glob, json, math, os, shutil, tempfile, gzip
import pandas, pysam

print("pandas", pandas.__version__, "pysam", pysam.__version__)
for f in sorted(glob.glob("fhir/*.json")):
    d = json.load(open(f)); n = {}; s = 0.0; numbers = texts = missing = 0; subj=set()
    for e in d["entry"]:
        r = e["resource"]; n[r["resourceType"]] = n.get(r["resourceType"], 0) + 1
        if r["resourceType"] == "Observation":
            for p in r.get("component", [r]):
                q = p.get("valueQuantity")
                if q: numbers += 1; s += q["value"]
                elif any(k.startswith("value") for k in p): texts += 1
                else: missing += 1
    p = [e["resource"] for e in d["entry"] if e["resource"]["resourceType"] == "Patient"][0]
    print(f, len(d["entry"]), {k: n[k] for k in ("Patient", "Observation", "Condition", "Procedure", "Encounter")},
          "numbers", numbers, "texts", texts, "missing", missing, "sum", repr(s), p["id"], p["gender"], p["birthDate"])
for t in "person measurement condition_occurrence procedure_occurrence visit_occurrence observation_period".split():
    for f in glob.glob(f"omop/eunomia_{t}.csv.gz"):
        d = pandas.read_csv(f, dtype=str, keep_default_na=False); d.columns = d.columns.str.lower()
        print(f, len(d), "persons", d.person_id.nunique(), end=" ")
        if t == "person":
            print(d.gender_concept_id.value_counts().to_dict(), d.year_of_birth.astype(int).sum(), d.month_of_birth.astype(int).sum(), d.day_of_birth.astype(int).sum())
        elif t == "measurement":
            v = pandas.to_numeric(d.value_as_number); print(v.notna().sum(), repr(math.fsum(v.dropna())), d.measurement_concept_id.nunique())
        elif t == "condition_occurrence": print(d.condition_concept_id.nunique(), (d.condition_end_date != "").sum())
        else: print()
for f in sorted(glob.glob("genomics/*")):
    if f.endswith((".bam", ".sam")):
        b = pysam.AlignmentFile(f); n = 0; mapped = bases = quals = pos = ops = mq = rev = 0
        for r in b.fetch(until_eof=True):
            n += 1; mapped += not r.is_unmapped; bases += len(r.query_sequence or ""); quals += sum(r.query_qualities or [])
            pos += r.reference_start + 1; ops += len(r.cigartuples or []); mq += r.mapping_quality; rev += r.is_reverse
        print(f, n, "mapped", mapped, "bases", bases, "quals", quals, "pos", pos, "ops", ops, "mapq", mq, "rev", rev, "refs", b.nreferences, sum(b.lengths))
    elif ".fa." in f:
        for r in pysam.FastxFile(f):
            print(f, r.name, len(r.sequence), {c: r.sequence.upper().count(c) for c in "ACGTN"})
    elif ".fq" in f:
        n = b = q = 0
        for r in pysam.FastxFile(f):
            n += 1; b += len(r.sequence); q += sum(r.get_quality_array())
        print(f, n, b, q)
    elif ".vcf" in f or ".bcf" in f:
        plain = f
        if f == "genomics/pyvcf_1kg.vcf.gz":  # gzip, not bgzip, which pysam does not open
            plain = os.path.join(tempfile.mkdtemp(), "plain.vcf")
            shutil.copyfileobj(gzip.open(f), open(plain, "wb"))
        v = pysam.VariantFile(plain); n = alts = pos = qual = dp = het = hom = called = snv = 0; af = 0.0; ndp = naf = 0
        for r in v:
            n += 1; pos += r.pos; alts += len(r.alts or ()); qual += r.qual or 0
            if "DP" in r.info: ndp += 1; dp += r.info["DP"]
            if "AF" in r.info:
                a = r.info["AF"]; a = a[0] if isinstance(a, tuple) else a; naf += 1; af += a
            for s in r.samples.values():
                g = s["GT"] if "GT" in s else (None,)
                if all(x is not None for x in g): called += 1; het += len(set(g)) > 1; hom += len(set(g)) == 1 and g[0] > 0
        print(f, n, "samples", len(v.header.samples), "pos", pos, "alts", alts, "qual", round(qual, 2), "dp", ndp, dp, "af", naf, round(af, 4), "called", called, "het", het, "homalt", hom, "contigs", len(v.header.contigs))
