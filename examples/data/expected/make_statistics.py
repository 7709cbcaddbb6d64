"""Computes with pandas what `compute_statistics` of lib/health.medi computes, from the same files.

    pip install pandas==3.1.1
    python make_statistics.py

Writes statistics_hospital.csv, statistics_fhir.csv and statistics_omop.csv beside this file. The FHIR files
are read with `json` and the OMOP tables with `pandas.read_csv`, so nothing is shared with the program under test.
"""

import glob
import gzip
import json
from pathlib import Path

import pandas as pd

HERE = Path(__file__).parent
DATA = HERE.parent
BANDS = [(0, 17), (18, 39), (40, 64), (65, 79), (80, 200)]
NAMES = ["0-17", "18-39", "40-64", "65-79", "80+"]


def number(date):
    """A date as yyyymmdd; an unknown month counts as July 1st, an unknown day as the 15th."""
    parts = date[:10].split("-")
    year = int(parts[0])
    month = int(parts[1]) if len(parts) > 1 else 7
    day = int(parts[2]) if len(parts) > 2 else (15 if len(parts) > 1 else 1)
    return year * 10000 + month * 100 + day


def band(birth, date):
    if not birth or not date:
        return "unknown"
    age = (date - birth) // 10000
    return next((name for (low, high), name in zip(BANDS, NAMES) if low <= age <= high), "unknown")


def fhir(files):
    patients, rows = {}, []
    for file in sorted(files):
        text = (gzip.open if file.endswith(".gz") else open)(file, "rt", encoding="utf-8").read()
        if ".ndjson" in file:
            resources = [json.loads(line) for line in text.splitlines()]
        else:
            resources = [entry["resource"] for entry in json.loads(text)["entry"]]
        for r in resources:
            if r["resourceType"] == "Patient":
                patients[r["id"]] = (r["gender"], number(r["birthDate"]))
            elif r["resourceType"] == "Observation":
                who = r["subject"]["reference"].removeprefix("urn:uuid:").removeprefix("Patient/")
                for part in r.get("component") or [r]:
                    if any(k.startswith("value") and k not in ("valueQuantity", "valueInteger") for k in part):
                        continue  # an answer in words
                    coding = part["code"]["coding"][0]
                    q = part.get("valueQuantity", {})
                    value = q.get("value", part.get("valueInteger"))
                    rows.append((who, coding["code"], q.get("unit", ""), value, number(r["effectiveDateTime"])))
    return patients, rows


def omop(directory):
    def table(name):
        return pd.read_csv(f"{directory}/eunomia_{name}.csv.gz").rename(columns=str.lower)

    person = table("person")
    sexes = {8507: "male", 8532: "female"}
    birth = person.year_of_birth * 10000 + person.month_of_birth * 100 + person.day_of_birth
    patients = {
        p: (sexes.get(g, "unknown"), int(b)) for p, g, b in zip(person.person_id, person.gender_concept_id, birth)
    }
    m = table("measurement")
    unit = m.unit_concept_id.fillna(0).astype(int).astype(str).replace("0", "")
    rows = list(zip(m.person_id, m.measurement_concept_id.astype(str), unit, m.value_as_number,
                    m.measurement_date.map(number)))
    return patients, rows


def statistics(patients, rows):
    people = pd.DataFrame([(p, s) for p, (s, _) in patients.items()], columns=["patient", "sex"])
    m = pd.DataFrame(rows, columns=["patient", "code", "unit", "value", "date"])
    m["value"] = m["value"].astype(float)
    # A record without value and unit belongs to the unit that the code is mostly measured in.
    usual = m[m.value.notna()].groupby("code").unit.agg(lambda u: u.value_counts().index[0])
    bare = m.value.isna() & (m.unit == "")
    m.loc[bare, "unit"] = m.loc[bare, "code"].map(usual).astype("object").fillna("")
    m["sex"] = m.patient.map(lambda p: patients[p][0])
    m["age"] = [band(patients[p][1], d) for p, d in zip(m.patient, m.date)]
    out = []
    for (code, unit), kind in m.groupby(["code", "unit"]):
        for sex in ["all", *sorted(m.sex.unique())]:
            for age in ["all", *NAMES, "unknown"]:
                chosen = lambda t: t[((t.sex == sex) | (sex == "all")) & ((t.age == age) | (age == "all"))]
                group, everyone = chosen(kind), chosen(m)
                if group.empty:
                    continue
                if age == "all":
                    size = len(people) if sex == "all" else (people.sex == sex).sum()
                else:
                    size = everyone.patient.nunique()
                v = group.value.dropna()
                measured = group[group.value.notna()].patient.nunique()
                out.append(dict(code=code, unit=unit, sex=sex, age=age, count=len(v), missing=len(group) - len(v),
                                unmeasured=size - measured, mean=v.mean(), sd=v.std(ddof=1), min=v.min(),
                                q1=v.quantile(0.25), median=v.median(), q3=v.quantile(0.75), max=v.max()))
    return pd.DataFrame(out)


def main():
    sets = {
        "hospital": fhir(glob.glob(f"{DATA}/hospital/*.ndjson.gz")),
        "fhir": fhir(glob.glob(f"{DATA}/fhir/*.json")),
        "omop": omop(f"{DATA}/omop"),
    }
    for name, (patients, rows) in sets.items():
        table = statistics(patients, rows)
        table.to_csv(HERE / f"statistics_{name}.csv", index=False)
        print(name, len(patients), "patients", len(rows), "measurements", len(table), "rows, pandas", pd.__version__)


main()
