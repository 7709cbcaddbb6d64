//! What FHIR resources and OMOP rows mean as events.

use std::fs;

use medi_formats::{
    ErrorKind,
    health::{Coded, EventKind, HealthReader, Measurement, PartialDate, Patient, Sex},
};

use crate::common::{bgzip, file, gzip};

#[derive(Debug, PartialEq)]
enum Event {
    Patient(Patient),
    Measurement(Measurement),
    Coded(EventKind, Coded),
}

fn read(reader: &mut HealthReader) -> Vec<Event> {
    let mut events = Vec::new();
    while let Some(kind) = reader.next().unwrap() {
        events.push(match kind {
            EventKind::Patient => Event::Patient(reader.patient().clone()),
            EventKind::Measurement => Event::Measurement(reader.measurement().clone()),
            other => Event::Coded(other, reader.coded().clone()),
        });
    }
    events
}

fn events(content: impl AsRef<[u8]>) -> Vec<Event> {
    let file = file(content);
    read(&mut HealthReader::open(file.path()).unwrap())
}

fn measurements(content: &str) -> Vec<Measurement> {
    let only = |event| match event {
        Event::Measurement(m) => Some(m),
        _ => None,
    };
    events(content).into_iter().filter_map(only).collect()
}

const PATIENT: &str =
    r#"{"resourceType":"Patient","id":"p1","gender":"male","birthDate":"1950-04"}"#;

#[test]
fn a_patient_has_id_name_sex_and_what_is_known_of_the_birth_date() {
    let text = r#"{"resourceType":"Patient","id":"p1","gender":"other","birthDate":"1950-04",
        "name":[{"use":"nickname","given":["Jo"]},{"use":"official","family":"Gr\u00fcn","given":["Johanna","Maria"]}]}"#;
    let birth = PartialDate { year: 1950, month: 4, day: 0 };
    let expected =
        Patient { id: "p1".into(), birth, sex: Sex::Other, name: "Johanna Maria Grün".into() };
    assert_eq!(events(text), [Event::Patient(expected)]);
}

#[test]
fn blood_pressure_is_two_measurements_of_one_time() {
    let text = r#"{"resourceType":"Observation","status":"final","subject":{"reference":"Patient/p1"},
        "code":{"coding":[{"system":"http://loinc.org","code":"85354-9","display":"Blood pressure panel"}]},
        "effectiveDateTime":"2020-01-02T03:04:05Z",
        "component":[
          {"code":{"coding":[{"system":"http://snomed.info/sct","code":"271649006"},
                             {"system":"http://loinc.org","code":"8480-6","display":"Systolic"}]},
           "valueQuantity":{"value":120,"unit":"mmHg"}},
          {"code":{"coding":[{"system":"http://loinc.org","code":"8462-4"}],"text":"Diastolic"},
           "valueQuantity":{"value":8e1,"code":"mm[Hg]","comparator":"<"}}]}"#;
    let pressure = |code: &str, display: &str, value, unit: &str, comparator: &str| Measurement {
        patient: "p1".into(),
        code: code.into(),
        system: "http://loinc.org".into(),
        display: display.into(),
        value,
        comparator: comparator.into(),
        unit: unit.into(),
        text: String::new(),
        date: "2020-01-02T03:04:05Z".into(),
    };
    assert_eq!(
        measurements(text),
        [
            pressure("8480-6", "Systolic", 120.0, "mmHg", ""),
            pressure("8462-4", "Diastolic", 80.0, "mm[Hg]", "<")
        ]
    );
}

#[test]
fn an_answer_that_is_no_number_is_text_and_a_missing_one_is_neither() {
    let observation = |value: &str| {
        format!(r#"{{"resourceType":"Observation","code":{{"text":"x"}},"issued":"2020"{value}}}"#)
    };
    let cases = [
        (
            r#","valueCodeableConcept":{"coding":[{"code":"266919005"}],"text":"Never smoker"}"#,
            "Never smoker",
        ),
        (r#","valueCodeableConcept":{"coding":[{"code":"266919005","display":"Never"}]}"#, "Never"),
        (r#","valueString":"a \"b\"\n""#, "a \"b\"\n"),
        (r#","valueBoolean":true"#, "true"),
        (r#","valueRange":{"low":{"value":1}}"#, r#"{"low":{"value":1}}"#),
        (r#","dataAbsentReason":{"text":"refused"}"#, ""),
        (r#","valueQuantity":{"unit":"cm"}"#, ""),
        (r#","valueQuantity":null,"component":null"#, ""),
    ];
    for (value, text) in cases {
        let found = measurements(&observation(value));
        assert_eq!(found.len(), 1, "{value}");
        assert!(found[0].value.is_nan());
        assert_eq!(
            (&*found[0].text, &*found[0].code, &*found[0].date),
            (text, "x", "2020"),
            "{value}"
        );
    }
    assert_eq!(measurements(&observation(r#","valueInteger":7"#))[0].value, 7.0);
}

#[test]
fn mistakes_and_refuted_conditions_are_counted_and_not_given() {
    let text = concat!(
        r#"{"resourceType":"Observation","status":"entered-in-error","code":{"text":"x"},"valueInteger":1}"#,
        "\n",
        r#"{"resourceType":"Condition","verificationStatus":{"coding":[{"code":"refuted"}]},"code":{"text":"x"}}"#,
        "\n",
        r#"{"resourceType":"Encounter","status":"cancelled"}"#,
        "\n",
        r#"{"resourceType":"Procedure","status":"not-done","code":{"text":"x"}}"#,
        "\n",
        r#"{"resourceType":"Condition","code":{"text":"y"},"onsetPeriod":{"start":"2001","end":"2002"}}"#
    );
    let file = file(text);
    let mut reader = HealthReader::open(file.path()).unwrap();
    let coded =
        Coded { code: "y".into(), display: "y".into(), date: "2001".into(), ..Coded::default() };
    assert_eq!(read(&mut reader), [Event::Coded(EventKind::Condition, coded)]);
    assert_eq!((reader.withdrawn(), reader.records()), (4, 5));
}

#[test]
fn references_resolve_to_the_id_of_the_patient_event_even_before_it() {
    let entry =
        |url: &str, resource: &str| format!(r#"{{"fullUrl":"{url}","resource":{resource}}}"#);
    let observation = |reference: &str| {
        format!(
            r#"{{"resourceType":"Observation","subject":{{"reference":"{reference}"}},"code":{{"text":"x"}},"valueInteger":1}}"#
        )
    };
    let bundle = format!(
        r#"{{"type":"transaction","entry":[{},{},{}],"resourceType":"Bundle"}}"#,
        entry("urn:uuid:o1", &observation("urn:uuid:aaaa")),
        entry("urn:uuid:aaaa", PATIENT),
        entry("urn:uuid:o2", &observation("Patient/p1")),
    );
    let ids: Vec<_> = events(&bundle)
        .into_iter()
        .map(|event| match event {
            Event::Patient(patient) => patient.id,
            Event::Measurement(measurement) => measurement.patient,
            Event::Coded(..) => unreachable!("the bundle has none"),
        })
        .collect();
    assert_eq!(ids, ["aaaa", "aaaa", "aaaa"]);
}

#[test]
fn bundles_and_resources_may_follow_each_other_and_nest() {
    let bundle = format!(r#"{{"resourceType":"Bundle","entry":[{{"resource":{PATIENT}}}]}}"#);
    let nested = format!(r#"{{"resourceType":"Bundle","entry":[{{"resource":{bundle}}},{{}}]}}"#);
    let text = format!(
        "\u{feff}{bundle}\n{nested}\r\n\n{PATIENT}{PATIENT}\n{{\"resourceType\":\"Claim\"}}\n"
    );
    assert_eq!(events(&text).len(), 4);
}

#[test]
fn compression_is_seen_in_the_content() {
    for packed in [gzip(PATIENT.as_bytes()), bgzip(PATIENT.as_bytes())] {
        assert_eq!(events(packed), events(PATIENT));
    }
    let two_members = [gzip(PATIENT.as_bytes()), gzip(b"\n"), gzip(PATIENT.as_bytes())].concat();
    assert_eq!(events(two_members).len(), 2);
}

#[test]
fn a_directory_gives_patients_first_and_leaves_other_files_alone() {
    let directory = tempfile::tempdir().unwrap();
    let condition = r#"{"resourceType":"Condition","code":{"text":"x"}}"#;
    fs::write(directory.path().join("Condition.ndjson"), condition).unwrap();
    fs::write(directory.path().join("Patient.ndjson.gz"), gzip(PATIENT.as_bytes())).unwrap();
    fs::write(directory.path().join("notes.txt"), "x").unwrap();
    fs::write(directory.path().join(".hidden.json"), "x").unwrap();
    fs::create_dir(directory.path().join("old.json")).unwrap();
    let mut reader = HealthReader::open(directory.path()).unwrap();
    let kinds: Vec<_> = std::iter::from_fn(|| reader.next().unwrap()).collect();
    assert_eq!(kinds, [EventKind::Patient, EventKind::Condition]);
    let (read, total) = reader.progress();
    assert_eq!(read, total);
}

#[test]
fn omop_rows_become_events_whatever_the_order_and_case_of_columns() {
    let person = "\u{feff}year_of_birth;Person_ID;MONTH_OF_BIRTH;gender_concept_id;gender_source_value\r\n\
                  1963.0;6.0;12;8532.0;F\r\n1950;7;;0;M\r\n";
    let patient = |id: &str, year, month, sex| {
        let birth = PartialDate { year, month, day: 0 };
        Event::Patient(Patient { id: id.into(), birth, sex, name: String::new() })
    };
    assert_eq!(
        events(person),
        [patient("6", 1963, 12, Sex::Female), patient("7", 1950, 0, Sex::Male)]
    );

    let measurement = "person_id,measurement_concept_id,measurement_date,value_as_number,unit_concept_id,\
                       unit_source_value,operator_concept_id,value_source_value,measurement_source_value\n\
                       6.0,3004249,2020-01-02,120.5,8876.0,,4171756,120.5,8480-6\n\
                       6,3004249,2020-01-02,,0,mmHg,,\"refused, twice\",8480-6\n";
    let found = measurements(measurement);
    assert_eq!(found.len(), 2);
    let first = Measurement {
        patient: "6".into(),
        code: "3004249".into(),
        system: "OMOP".into(),
        display: "8480-6".into(),
        value: 120.5,
        comparator: "<".into(),
        unit: "8876".into(),
        text: String::new(),
        date: "2020-01-02".into(),
    };
    assert_eq!(found[0], first);
    assert!(found[1].value.is_nan());
    assert_eq!((&*found[1].unit, &*found[1].text), ("mmHg", "refused, twice"));
}

#[test]
fn a_table_of_only_a_header_is_a_table_without_rows() {
    assert_eq!(events("person_id,gender_concept_id,year_of_birth\n"), []);
}

#[test]
fn two_files_for_one_table_and_two_formats_in_one_directory_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let table = "person_id,gender_concept_id,year_of_birth\n";
    fs::write(directory.path().join("person.csv"), table).unwrap();
    fs::write(directory.path().join("a_person.csv.gz"), gzip(table.as_bytes())).unwrap();
    let error = HealthReader::open(directory.path()).err().unwrap();
    assert!(error.reason().contains("twice"), "{error}");
    fs::remove_file(directory.path().join("person.csv")).unwrap();
    fs::write(directory.path().join("Patient.ndjson"), PATIENT).unwrap();
    let error = HealthReader::open(directory.path()).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::WrongFormat, "{error}");
}
