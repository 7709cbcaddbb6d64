"""Holds a million patients in memory: id, birth date, sex, 8 vital signs, 3 to 10 diagnosis codes."""

import random
import sys
from dataclasses import dataclass
from datetime import date
from enum import Enum


class Sex(Enum):
    FEMALE = 0
    MALE = 1


@dataclass
class Vitals:
    temperature: float
    pulse: float
    respiration: float
    systolic: float
    diastolic: float
    oxygen: float
    weight: float
    height: float


@dataclass
class Patient:
    id: str
    birth_date: date
    sex: Sex
    vitals: Vitals
    codes: list[int]


def patient(i: int, r: random.Random) -> Patient:
    codes = []
    for _ in range(3 + i % 8):
        codes.append(100000000 + r.randrange(100000000))
    return Patient(
        id=f"patient-{i}",
        birth_date=date(1920 + i % 100, 1 + i % 12, 1 + i % 28),
        sex=Sex.FEMALE if i % 2 == 1 else Sex.MALE,
        vitals=Vitals(*(base + r.random() for base in (36, 60, 12, 120, 80, 97, 70, 170))),
        codes=codes,
    )


def main() -> None:
    n = int(sys.argv[1])
    r = random.Random(1)
    patients = []
    for i in range(n):
        patients.append(patient(i, r))
    codes = 0
    for p in patients:
        codes += len(p.codes)
    print(f"{len(patients)} patients, {codes} codes")


main()
