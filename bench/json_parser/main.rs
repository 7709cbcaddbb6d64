use std::collections::HashMap;

enum Json {
    Null,
    Flag(#[allow(dead_code)] bool),
    Number(f64),
    Text(String),
    Array(Vec<Json>),
    Object(HashMap<String, Json>),
}

struct Parser<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Parser<'_> {
    fn skip_space(&mut self) {
        while self.at < self.bytes.len() && matches!(self.bytes[self.at], 32 | 10 | 13 | 9) {
            self.at += 1;
        }
    }

    fn expect(&mut self, wanted: u8) {
        assert_eq!(self.bytes[self.at], wanted, "at byte {}", self.at);
        self.at += 1;
    }

    fn value(&mut self) -> Json {
        self.skip_space();
        match self.bytes[self.at] {
            b'{' => self.object(),
            b'[' => self.array(),
            b'"' => Json::Text(self.text()),
            b't' => {
                self.at += 4;
                Json::Flag(true)
            }
            b'f' => {
                self.at += 5;
                Json::Flag(false)
            }
            b'n' => {
                self.at += 4;
                Json::Null
            }
            _ => self.number(),
        }
    }

    fn object(&mut self) -> Json {
        let mut members = HashMap::new();
        self.expect(b'{');
        self.skip_space();
        if self.bytes[self.at] == b'}' {
            self.at += 1;
            return Json::Object(members);
        }
        loop {
            self.skip_space();
            let key = self.text();
            self.skip_space();
            self.expect(b':');
            let value = self.value();
            members.insert(key, value);
            self.skip_space();
            if self.bytes[self.at] == b'}' {
                self.at += 1;
                return Json::Object(members);
            }
            self.expect(b',');
        }
    }

    fn array(&mut self) -> Json {
        let mut items = vec![];
        self.expect(b'[');
        self.skip_space();
        if self.bytes[self.at] == b']' {
            self.at += 1;
            return Json::Array(items);
        }
        loop {
            items.push(self.value());
            self.skip_space();
            if self.bytes[self.at] == b']' {
                self.at += 1;
                return Json::Array(items);
            }
            self.expect(b',');
        }
    }

    fn text(&mut self) -> String {
        self.expect(b'"');
        let start = self.at;
        while self.bytes[self.at] != b'"' && self.bytes[self.at] != b'\\' {
            self.at += 1;
        }
        if self.bytes[self.at] == b'"' {
            self.at += 1;
            return String::from_utf8(self.bytes[start..self.at - 1].to_vec()).unwrap();
        }
        let mut out = self.bytes[start..self.at].to_vec();
        while self.bytes[self.at] != b'"' {
            let mut b = self.bytes[self.at];
            if b == b'\\' {
                self.at += 1;
                b = match self.bytes[self.at] {
                    b'n' => b'\n',
                    b't' => b'\t',
                    b'r' => b'\r',
                    b'u' => {
                        self.at += 4;
                        b'?'
                    }
                    other => other,
                };
            }
            out.push(b);
            self.at += 1;
        }
        self.at += 1;
        String::from_utf8(out).unwrap()
    }

    fn number(&mut self) -> Json {
        let start = self.at;
        while self.at < self.bytes.len()
            && matches!(self.bytes[self.at], b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')
        {
            self.at += 1;
        }
        Json::Number(std::str::from_utf8(&self.bytes[start..self.at]).unwrap().parse().unwrap())
    }
}

#[derive(Default)]
struct Totals {
    nodes: i64,
    numbers: f64,
    characters: i64,
}

impl Totals {
    fn add(&mut self, json: &Json) {
        self.nodes += 1;
        match json {
            Json::Null | Json::Flag(_) => {}
            Json::Number(value) => self.numbers += value,
            Json::Text(value) => self.characters += value.len() as i64,
            Json::Array(items) => items.iter().for_each(|item| self.add(item)),
            Json::Object(members) => {
                for (key, value) in members {
                    self.characters += key.len() as i64;
                    self.add(value);
                }
            }
        }
    }
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let bytes = std::fs::read(&args[1]).unwrap();
    let mut totals = Totals::default();
    for _ in 0..args[2].parse().unwrap() {
        totals.add(&Parser { bytes: &bytes, at: 0 }.value());
    }
    println!(
        "{} nodes, {} characters, numbers add up to {:.3}",
        totals.nodes, totals.characters, totals.numbers
    );
}
