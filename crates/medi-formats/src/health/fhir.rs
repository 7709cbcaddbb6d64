//! FHIR R4 resources to events.
//!
//! Each piece that the splitter cuts is parsed once for its shape and, if it is of a type that gives events, once
//! more for its fields. Both borrow from the piece. Only the fields that events need are named here, so profiles
//! and extensions cost nothing; a named field of the wrong JSON type is an error, not a guess.

use std::{borrow::Cow, collections::HashMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, Visitor},
};
use serde_json::value::RawValue;

use super::{
    EventKind, PartialDate, Queue, Sex, set,
    split::{Fault, Piece, Splitter},
};
use crate::{
    error::{ErrorKind, FormatError},
    source::Source,
    trail::Trail,
};

const LOINC: &str = "http://loinc.org";

pub(super) struct FhirFile {
    splitter: Splitter,
    trail: Trail,
    /// Ids of patients that their bundle knows by a UUID instead, to resolve `Patient/ID` after they were seen.
    /// Empty for files in which both are the same, which is what exporters write.
    aliases: HashMap<String, String>,
}

impl FhirFile {
    pub fn new(source: Source) -> Self {
        let trail = Trail::new(source.path());
        Self { splitter: Splitter::new(source), trail, aliases: HashMap::new() }
    }

    pub fn source(&self) -> &Source {
        self.splitter.source()
    }

    /// Reads one resource and queues its events, if it has any; false at the end of the file.
    pub fn read_into(
        &mut self,
        queue: &mut Queue,
        withdrawn: &mut u64,
    ) -> Result<bool, FormatError> {
        let next = self.splitter.next();
        self.trail.record += 1;
        let piece = match next {
            Ok(Some(piece)) => piece,
            Ok(None) => return Ok(false),
            Err(fault) => return Err(self.fault(fault)),
        };
        self.trail.line = self.splitter.start_line();
        let bytes = self.splitter.text();
        let text = std::str::from_utf8(bytes).map_err(|error| {
            self.trail
                .corrupt("the text is not UTF-8")
                .at_line(self.trail.line + newlines(&bytes[..error.valid_up_to()]))
                .at_offset(self.splitter.start_offset() + error.valid_up_to() as u64)
        })?;
        let mut reading = Reading { aliases: &mut self.aliases, queue, withdrawn };
        let result = match piece {
            Piece::Entry => reading.entry(text),
            Piece::Document => reading.resource(text, ""),
        };
        result.map(|()| true).map_err(|wrong| self.wrong(text, wrong))
    }

    fn fault(&self, fault: Fault) -> FormatError {
        let error = match fault {
            Fault::Io(error) => self.trail.io(&error),
            Fault::Cut(inside) => {
                self.trail.truncated(format!("the file ends in the middle of {inside}"))
            }
            Fault::Bad(reason) => self.trail.corrupt(reason),
        };
        error.at_line(self.splitter.line())
    }

    fn wrong(&self, text: &str, wrong: Wrong) -> FormatError {
        match wrong {
            Wrong::Json { error, before } => {
                let line = self.trail.line + newlines(&text.as_bytes()[..before]);
                self.trail
                    .corrupt(format!("the resource cannot be read: {}", plain(&error)))
                    .at_line(line + (error.line() as u64).saturating_sub(1))
            }
            Wrong::Meaning(reason) => self.trail.corrupt(reason),
            Wrong::NotFhir => self.trail.error(
                ErrorKind::WrongFormat,
                "this JSON is not FHIR: the object has no \"resourceType\"",
                "give a FHIR R4 bundle, resource or NDJSON file; if the file lies in a directory of FHIR files, move it away",
            ),
        }
    }
}

/// What is wrong with a piece of JSON.
enum Wrong {
    /// `before` bytes of the piece come before the part that `error` counts its lines in.
    Json {
        error: serde_json::Error,
        before: usize,
    },
    Meaning(String),
    NotFhir,
}

/// The state that reading one piece needs.
struct Reading<'r> {
    aliases: &'r mut HashMap<String, String>,
    queue: &'r mut Queue,
    withdrawn: &'r mut u64,
}

impl Reading<'_> {
    fn entry(&mut self, text: &str) -> Result<(), Wrong> {
        let entry: Entry = parse(text)?;
        let Some(resource) = entry.resource else { return Ok(()) };
        self.resource(resource.get(), &entry.full_url).map_err(|wrong| match wrong {
            Wrong::Json { error, before } => {
                let start = resource.get().as_ptr().addr() - text.as_ptr().addr();
                Wrong::Json { error, before: before + start }
            }
            Wrong::NotFhir => Wrong::Meaning("the entry's resource has no \"resourceType\"".into()),
            meaning => meaning,
        })
    }

    fn resource(&mut self, text: &str, full_url: &str) -> Result<(), Wrong> {
        match &*resource_type(text)? {
            "" => Err(Wrong::NotFhir),
            "Patient" => self.patient(&parse(text)?, full_url),
            "Observation" => {
                self.observation(&parse(text)?);
                Ok(())
            }
            "Condition" => {
                self.condition(&parse(text)?);
                Ok(())
            }
            "Procedure" => {
                self.procedure(&parse(text)?);
                Ok(())
            }
            "Encounter" => {
                self.encounter(&parse(text)?);
                Ok(())
            }
            "Bundle" => {
                // A bundle inside an entry; those at the top are cut into entries by the splitter.
                let bundle: Bundle = parse(text)?;
                bundle.entry.iter().try_for_each(|entry| self.entry(entry.get()))
            }
            _ => Ok(()),
        }
    }

    fn patient(&mut self, patient: &PatientResource, full_url: &str) -> Result<(), Wrong> {
        let birth = match &*patient.birth_date {
            "" => PartialDate::default(),
            text => PartialDate::parse(text)
                .ok_or_else(|| Wrong::Meaning(format!("`{text}` is not a date (birthDate)")))?,
        };
        let sex = match &*patient.gender {
            "male" => Sex::Male,
            "female" => Sex::Female,
            "other" => Sex::Other,
            "" | "unknown" => Sex::Unknown,
            other => {
                return Err(Wrong::Meaning(format!(
                    "`{other}` is not a gender that FHIR has (male, female, other, unknown)"
                )));
            }
        };
        let id = match full_url.strip_prefix("urn:uuid:") {
            Some(uuid) => {
                if !patient.id.is_empty() && *patient.id != *uuid {
                    self.aliases.insert(patient.id.to_string(), uuid.to_owned());
                }
                uuid
            }
            None if patient.id.is_empty() => target(full_url),
            None => &patient.id,
        };
        let slot = &mut self.queue.push(EventKind::Patient).patient;
        set(&mut slot.id, id);
        slot.birth = birth;
        slot.sex = sex;
        slot.name.clear();
        if let Some(name) =
            patient.name.iter().find(|n| n.usage == *"official").or(patient.name.first())
        {
            name.write(&mut slot.name);
        }
        Ok(())
    }

    fn observation(&mut self, observation: &Observation) {
        if observation.status == *"entered-in-error" {
            *self.withdrawn += 1;
            return;
        }
        for part in &observation.component {
            self.measurement(observation, part);
        }
        if observation.component.is_empty() || observation.has_value() {
            self.measurement(observation, observation);
        }
    }

    /// One measurement: subject and time from the observation, code and value from it or one of its components.
    fn measurement(&mut self, whole: &Observation, part: &Observation) {
        let date = [
            &whole.effective_date_time,
            &whole.effective_instant,
            &whole.effective_period.start,
            &whole.issued,
        ];
        let slot = &mut self.queue.push(EventKind::Measurement).measurement;
        set(&mut slot.patient, patient_of(self.aliases, &whole.subject));
        part.code.write(Some(LOINC), &mut slot.code, &mut slot.system, &mut slot.display);
        set(&mut slot.date, first_of(date));
        part.write_value(slot);
    }

    fn condition(&mut self, condition: &ConditionResource) {
        let refuted =
            |coding: &Coding| coding.code == *"entered-in-error" || coding.code == *"refuted";
        if condition.verification_status.coding.iter().any(refuted) {
            *self.withdrawn += 1;
            return;
        }
        let start =
            [&condition.onset_date_time, &condition.onset_period.start, &condition.recorded_date];
        let end = [&condition.abatement_date_time, &condition.abatement_period.end];
        self.coded(
            EventKind::Condition,
            &condition.subject,
            &condition.code,
            first_of(start),
            first_of(end),
        );
    }

    fn procedure(&mut self, procedure: &ProcedureResource) {
        if matches!(&*procedure.status, "entered-in-error" | "not-done") {
            *self.withdrawn += 1;
            return;
        }
        let start = [&procedure.performed_date_time, &procedure.performed_period.start];
        self.coded(
            EventKind::Procedure,
            &procedure.subject,
            &procedure.code,
            first_of(start),
            &procedure.performed_period.end,
        );
    }

    fn encounter(&mut self, encounter: &EncounterResource) {
        if matches!(&*encounter.status, "entered-in-error" | "cancelled") {
            *self.withdrawn += 1;
            return;
        }
        let blank = Concept::default();
        let concept = encounter.types.first().unwrap_or(&blank);
        let (start, end) = (&encounter.period.start, &encounter.period.end);
        self.coded(EventKind::Encounter, &encounter.subject, concept, start, end);
    }

    fn coded(
        &mut self,
        kind: EventKind,
        subject: &Reference,
        concept: &Concept,
        start: &str,
        end: &str,
    ) {
        let slot = &mut self.queue.push(kind).coded;
        set(&mut slot.patient, patient_of(self.aliases, subject));
        concept.write(None, &mut slot.code, &mut slot.system, &mut slot.display);
        set(&mut slot.date, start);
        set(&mut slot.end, end);
    }
}

fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Wrong> {
    serde_json::from_str(text).map_err(|error| Wrong::Json { error, before: 0 })
}

/// The message of a JSON error without the place, which we give for the file and not for the piece.
pub(super) fn plain(error: &serde_json::Error) -> String {
    let mut message = error.to_string();
    if let Some(at) = message.rfind(" at line ") {
        message.truncate(at);
    }
    message
}

fn newlines(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

/// The type of a resource; empty if it has none. Exporters write it first, which spares a pass over the text.
fn resource_type(text: &str) -> Result<Cow<'_, str>, Wrong> {
    let quick = || {
        let rest = text.strip_prefix('{')?.trim_ascii_start();
        let rest = rest.strip_prefix("\"resourceType\"")?.trim_ascii_start();
        let rest = rest.strip_prefix(':')?.trim_ascii_start().strip_prefix('"')?;
        let (name, _) = rest.split_once('"')?;
        name.bytes().all(|b| b.is_ascii_alphanumeric()).then_some(name)
    };
    match quick() {
        // Documents have not been parsed yet, and a type that gives no events is not parsed again.
        Some(name) => {
            if !GIVES_EVENTS.contains(&name) {
                parse::<serde::de::IgnoredAny>(text)?;
            }
            Ok(Cow::Borrowed(name))
        }
        None => parse::<Typed>(text).map(|typed| typed.resource_type.0),
    }
}

const GIVES_EVENTS: [&str; 6] =
    ["Patient", "Observation", "Condition", "Procedure", "Encounter", "Bundle"];

/// The id that a reference points to: `urn:uuid:X`, `Patient/X`, `https://host/fhir/Patient/X/_history/2` → `X`.
fn target(reference: &str) -> &str {
    if let Some(uuid) = reference.strip_prefix("urn:uuid:") {
        return uuid;
    }
    let versionless = reference.split("/_history/").next().unwrap_or(reference);
    versionless.rsplit('/').next().unwrap_or(versionless)
}

fn patient_of<'a>(aliases: &'a HashMap<String, String>, subject: &'a Reference) -> &'a str {
    let id = target(&subject.reference);
    if aliases.is_empty() {
        return id;
    }
    aliases.get(id).map_or(id, String::as_str)
}

fn first_of<'a, const N: usize>(texts: [&'a Text<'_>; N]) -> &'a str {
    texts.into_iter().map(|text| &**text).find(|text| !text.is_empty()).unwrap_or_default()
}

/// A JSON string, borrowed where it has no escapes; absent and null are empty.
#[derive(Default)]
struct Text<'a>(Cow<'a, str>);

impl std::ops::Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl PartialEq<str> for Text<'_> {
    fn eq(&self, other: &str) -> bool {
        *self.0 == *other
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit;
        impl<'de> Visitor<'de> for Visit {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Text::default())
            }
        }
        deserializer.deserialize_any(Visit)
    }
}

/// A list; absent and null are empty.
fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    Option::<Vec<T>>::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// A structure; absent and null are its default.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// A number that JSON can write and `f64` can hold.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    let value = Option::<f64>::deserialize(deserializer)?;
    if value.is_some_and(|v| !v.is_finite()) {
        return Err(D::Error::custom("number out of range"));
    }
    Ok(value)
}

#[derive(Deserialize)]
struct Typed<'a> {
    #[serde(rename = "resourceType", default, borrow)]
    resource_type: Text<'a>,
}

#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(rename = "fullUrl", default, borrow)]
    full_url: Text<'a>,
    #[serde(default, borrow)]
    resource: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Bundle<'a> {
    #[serde(default, borrow, deserialize_with = "list")]
    entry: Vec<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Reference<'a> {
    #[serde(borrow)]
    reference: Text<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Period<'a> {
    #[serde(borrow)]
    start: Text<'a>,
    #[serde(borrow)]
    end: Text<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Coding<'a> {
    #[serde(borrow)]
    system: Text<'a>,
    #[serde(borrow)]
    code: Text<'a>,
    #[serde(borrow)]
    display: Text<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Concept<'a> {
    #[serde(borrow, deserialize_with = "list")]
    coding: Vec<Coding<'a>>,
    #[serde(borrow)]
    text: Text<'a>,
}

impl Concept<'_> {
    /// The coding in the preferred system, else the first.
    fn coding(&self, preferred: Option<&str>) -> Option<&Coding<'_>> {
        let wanted = |c: &&Coding| preferred.is_some_and(|system| c.system == *system);
        self.coding.iter().find(wanted).or_else(|| self.coding.first())
    }

    fn write(
        &self,
        preferred: Option<&str>,
        code: &mut String,
        system: &mut String,
        display: &mut String,
    ) {
        match self.coding(preferred) {
            Some(coding) => {
                set(code, &coding.code);
                set(system, &coding.system);
                set(display, first_of([&coding.display, &self.text]));
            }
            None => {
                set(code, &self.text);
                system.clear();
                set(display, &self.text);
            }
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Quantity<'a> {
    #[serde(deserialize_with = "number")]
    value: Option<f64>,
    #[serde(borrow)]
    comparator: Text<'a>,
    #[serde(borrow)]
    unit: Text<'a>,
    #[serde(borrow)]
    code: Text<'a>,
}

#[derive(Deserialize)]
struct HumanName<'a> {
    #[serde(rename = "use", default, borrow)]
    usage: Text<'a>,
    #[serde(default, borrow)]
    text: Text<'a>,
    #[serde(default, borrow)]
    family: Text<'a>,
    #[serde(default, borrow, deserialize_with = "list")]
    given: Vec<Text<'a>>,
}

impl HumanName<'_> {
    fn write(&self, name: &mut String) {
        let parts = self.given.iter().chain([&self.family]).filter(|part| !part.is_empty());
        for part in parts {
            if !name.is_empty() {
                name.push(' ');
            }
            name.push_str(part);
        }
        if name.is_empty() {
            name.push_str(&self.text);
        }
    }
}

#[derive(Deserialize)]
struct PatientResource<'a> {
    #[serde(default, borrow)]
    id: Text<'a>,
    #[serde(default, borrow)]
    gender: Text<'a>,
    #[serde(rename = "birthDate", default, borrow)]
    birth_date: Text<'a>,
    #[serde(default, borrow, deserialize_with = "list")]
    name: Vec<HumanName<'a>>,
}

/// An observation, and also a component of one, which has the same code and values.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Observation<'a> {
    #[serde(default, borrow)]
    status: Text<'a>,
    #[serde(default, borrow, deserialize_with = "or_default")]
    code: Concept<'a>,
    #[serde(default, borrow, deserialize_with = "or_default")]
    subject: Reference<'a>,
    #[serde(default, borrow)]
    effective_date_time: Text<'a>,
    #[serde(default, borrow)]
    effective_instant: Text<'a>,
    #[serde(default, borrow, deserialize_with = "or_default")]
    effective_period: Period<'a>,
    #[serde(default, borrow)]
    issued: Text<'a>,
    #[serde(default, borrow)]
    value_quantity: Option<Quantity<'a>>,
    #[serde(default, deserialize_with = "number")]
    value_integer: Option<f64>,
    #[serde(default, borrow)]
    value_codeable_concept: Option<Concept<'a>>,
    #[serde(default, borrow)]
    value_string: Text<'a>,
    #[serde(default)]
    value_boolean: Option<bool>,
    #[serde(default, borrow)]
    value_time: Text<'a>,
    #[serde(default, borrow)]
    value_date_time: Text<'a>,
    #[serde(default, borrow)]
    value_range: Option<&'a RawValue>,
    #[serde(default, borrow)]
    value_ratio: Option<&'a RawValue>,
    #[serde(default, borrow)]
    value_sampled_data: Option<&'a RawValue>,
    #[serde(default, borrow)]
    value_period: Option<&'a RawValue>,
    #[serde(default, borrow, deserialize_with = "list")]
    component: Vec<Observation<'a>>,
}

impl Observation<'_> {
    /// Values that have structure and no number of their own, as JSON.
    fn raw_value(&self) -> Option<&RawValue> {
        self.value_range.or(self.value_ratio).or(self.value_sampled_data).or(self.value_period)
    }

    fn has_value(&self) -> bool {
        self.value_quantity.is_some()
            || self.value_integer.is_some()
            || self.value_codeable_concept.is_some()
            || self.value_boolean.is_some()
            || self.raw_value().is_some()
            || !first_of([&self.value_string, &self.value_time, &self.value_date_time]).is_empty()
    }

    fn write_value(&self, slot: &mut super::Measurement) {
        slot.value = f64::NAN;
        slot.comparator.clear();
        slot.unit.clear();
        slot.text.clear();
        if let Some(quantity) = &self.value_quantity {
            slot.value = quantity.value.unwrap_or(f64::NAN);
            set(&mut slot.comparator, &quantity.comparator);
            set(&mut slot.unit, first_of([&quantity.unit, &quantity.code]));
        } else if let Some(integer) = self.value_integer {
            slot.value = integer;
        } else if let Some(concept) = &self.value_codeable_concept {
            let coding = concept.coding(None);
            let words = coding.map_or("", |c| first_of([&c.display, &c.code]));
            set(&mut slot.text, if concept.text.is_empty() { words } else { &concept.text });
        } else if let Some(truth) = self.value_boolean {
            set(&mut slot.text, if truth { "true" } else { "false" });
        } else if let Some(raw) = self.raw_value() {
            set(&mut slot.text, raw.get());
        } else {
            set(
                &mut slot.text,
                first_of([&self.value_string, &self.value_time, &self.value_date_time]),
            );
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConditionResource<'a> {
    #[serde(default, borrow, deserialize_with = "or_default")]
    verification_status: Concept<'a>,
    #[serde(default, borrow, deserialize_with = "or_default")]
    code: Concept<'a>,
    #[serde(default, borrow, deserialize_with = "or_default")]
    subject: Reference<'a>,
    #[serde(default, borrow)]
    onset_date_time: Text<'a>,
    #[serde(default, borrow, deserialize_with = "or_default")]
    onset_period: Period<'a>,
    #[serde(default, borrow)]
    recorded_date: Text<'a>,
    #[serde(default, borrow)]
    abatement_date_time: Text<'a>,
    #[serde(default, borrow, deserialize_with = "or_default")]
    abatement_period: Period<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProcedureResource<'a> {
    #[serde(default, borrow)]
    status: Text<'a>,
    #[serde(default, borrow, deserialize_with = "or_default")]
    code: Concept<'a>,
    #[serde(default, borrow, deserialize_with = "or_default")]
    subject: Reference<'a>,
    #[serde(default, borrow)]
    performed_date_time: Text<'a>,
    #[serde(default, borrow, deserialize_with = "or_default")]
    performed_period: Period<'a>,
}

#[derive(Deserialize)]
struct EncounterResource<'a> {
    #[serde(default, borrow)]
    status: Text<'a>,
    #[serde(rename = "type", default, borrow, deserialize_with = "list")]
    types: Vec<Concept<'a>>,
    #[serde(default, borrow, deserialize_with = "or_default")]
    subject: Reference<'a>,
    #[serde(default, borrow, deserialize_with = "or_default")]
    period: Period<'a>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_of_every_form_lead_to_one_id() {
        for reference in [
            "urn:uuid:ea87",
            "Patient/ea87",
            "https://example.org/fhir/Patient/ea87",
            "https://example.org/fhir/Patient/ea87/_history/3",
        ] {
            assert_eq!(target(reference), "ea87");
        }
        assert_eq!(target(""), "");
    }

    #[test]
    fn the_type_is_found_wherever_it_stands() {
        let kind =
            |text| resource_type(text).map(|k| k.into_owned()).unwrap_or_else(|_| "wrong".into());
        assert_eq!(kind(r#"{ "resourceType" : "Patient" , "id":"1"}"#), "Patient");
        assert_eq!(kind(r#"{"id":"1","resourceType":"Patient"}"#), "Patient");
        assert_eq!(kind(r#"{"id":"1"}"#), "");
        assert_eq!(kind(r#"{"resourceType":"Claim", nonsense}"#), "wrong");
    }
}
