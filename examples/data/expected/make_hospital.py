"""Cuts examples/data/hospital out of a simulated hospital.

    pip install clinosim==0.6.5
    clinosim simulate -p 300 -s 7 --country US --end 2025-06-30 --format csv fhir-r4 -o out
    python make_hospital.py out/fhir_r4 ../hospital

What is changed: observations are those of the codes below and keep the fields below; so do patients and
conditions. One value in fifty is taken away (drawn with a fixed seed) and its place says why, as FHIR asks:
`dataAbsentReason`, code `unknown`. The simulator itself leaves no gaps, hospitals do.
"""

import gzip
import json
import random
import sys

CODES = """8867-4 2708-6 85354-9 8310-5 8302-2 29463-7 39156-5 9279-1 1742-6 1920-8 2160-0 2823-3 2345-7
6690-2 4548-4 718-7 2951-2 2885-2 1988-5""".split()

FIELDS = {
    "Patient": ["resourceType", "id", "name", "gender", "birthDate"],
    "Observation": ["resourceType", "id", "status", "category", "code", "subject", "effectiveDateTime",
                    "valueQuantity", "component"],
    "Condition": ["resourceType", "id", "clinicalStatus", "verificationStatus", "code", "subject",
                  "onsetDateTime", "recordedDate"],
}
ABSENT = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/data-absent-reason", "code": "unknown"}]}


def main(source, target):
    draw = random.Random(7)
    for kind, fields in FIELDS.items():
        lines = []
        for line in open(f"{source}/{kind}.ndjson", encoding="utf-8"):
            resource = json.loads(line)
            if kind == "Observation" and resource["code"]["coding"][0]["code"] not in CODES:
                continue
            kept = {name: resource[name] for name in fields if name in resource}
            for part in [kept, *kept.get("component", [])]:
                if "valueQuantity" in part and draw.randrange(50) == 0:
                    del part["valueQuantity"]
                    part["dataAbsentReason"] = ABSENT
            lines.append(json.dumps(kept, separators=(",", ":"), ensure_ascii=False))
        text = ("\n".join(lines) + "\n").encode()
        with open(f"{target}/{kind}.ndjson.gz", "wb") as file:
            file.write(gzip.compress(text, 9, mtime=0))


main(*sys.argv[1:])
