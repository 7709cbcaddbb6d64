//! Writes programs that race: random types, a board with collections of them, and tasks that do all that the library
//! offers with the board, in random order.

use std::fmt::Write;

/// Sebastiano Vigna's splitmix64.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n as u64) as usize
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

#[derive(Clone, PartialEq, Debug)]
enum Type {
    Int,
    Float,
    Bool,
    Byte,
    Text,
    Optional(Box<Type>),
    Pair(Box<Type>, Box<Type>),
    List(Box<Type>),
    Map(Box<Type>, Box<Type>),
    Function(Box<Type>),
    Result(Box<Type>),
    Record(usize),
    Enum(usize),
}

impl Type {
    fn name(&self) -> String {
        match self {
            Type::Int => "int".into(),
            Type::Float => "float".into(),
            Type::Bool => "bool".into(),
            Type::Byte => "byte".into(),
            Type::Text => "string".into(),
            Type::Optional(inner) => format!("{}?", inner.name()),
            Type::Pair(a, b) => format!("({}, {})", a.name(), b.name()),
            Type::List(inner) => format!("list[{}]", inner.name()),
            Type::Map(key, value) => format!("map[{}, {}]", key.name(), value.name()),
            Type::Function(inner) => format!("(func() -> {})", inner.name()),
            Type::Result(inner) => format!("Result[{}]", inner.name()),
            Type::Record(number) => format!("R{number}"),
            Type::Enum(number) => format!("E{number}"),
        }
    }

    fn is_ordered(&self) -> bool {
        match self {
            Type::Int | Type::Float | Type::Text => true,
            Type::Pair(a, b) => a.is_ordered() && b.is_ordered(),
            _ => false,
        }
    }

    /// Whether `==`, and so a map's key, works on it.
    fn is_comparable(&self, records: &[Vec<Type>], enums: &[Vec<Vec<Type>>]) -> bool {
        match self {
            Type::Function(_) => false,
            Type::Int | Type::Float | Type::Bool | Type::Byte | Type::Text => true,
            Type::Optional(inner) | Type::List(inner) | Type::Result(inner) => {
                inner.is_comparable(records, enums)
            }
            Type::Pair(a, b) | Type::Map(a, b) => {
                a.is_comparable(records, enums) && b.is_comparable(records, enums)
            }
            Type::Record(number) => {
                records[*number].iter().all(|field| field.is_comparable(records, enums))
            }
            Type::Enum(number) => {
                enums[*number].iter().flatten().all(|field| field.is_comparable(records, enums))
            }
        }
    }
}

const NUMBERS: [Type; 4] = [Type::Int, Type::Float, Type::Byte, Type::Text];

struct Generator {
    random: Random,
    /// Fields `f0`, `f1`, …; those of the first half are assigned, which keeps the others by value. The first also has
    /// a `next` and `kids` of its own type.
    records: Vec<Vec<Type>>,
    /// Fields of each variant.
    enums: Vec<Vec<Vec<Type>>>,
    /// Types that have `make` and `look` functions, by number.
    known: Vec<Type>,
    /// What the board has: `b0`, `b1`, …
    board: Vec<Type>,
    out: String,
}

/// The text of a program; its argument is how often each task does something.
pub fn program(seed: u64) -> String {
    let mut generator = Generator {
        random: Random(seed),
        records: vec![],
        enums: vec![],
        known: vec![],
        board: vec![],
        out: String::new(),
    };
    generator.declare();
    generator.out
}

macro_rules! put {
    ($self:ident, $($text:tt)*) => {
        writeln!($self.out, $($text)*).expect("a string grows")
    };
}

impl Generator {
    fn declare(&mut self) {
        for _ in 0..4 {
            let fields = (0..1 + self.random.below(3)).map(|_| self.some_type(1)).collect();
            self.records.push(fields);
            let variant = |this: &mut Self| {
                (0..this.random.below(3)).map(|_| this.some_type(1)).collect::<Vec<_>>()
            };
            let variants = (0..2 + self.random.below(3)).map(|_| variant(self)).collect();
            self.enums.push(variants);
        }
        // Few places, so that the tasks meet.
        for _ in 0..2 + self.random.below(2) {
            let (element, key) = (self.some_type(2), self.key());
            let part = match self.random.below(6) {
                0 => Type::Record(0),
                1 => element,
                2 => Type::List(Box::new(self.random.pick(&NUMBERS).clone())),
                3 => Type::Map(Box::new(key), Box::new(element)),
                _ => Type::List(Box::new(element)),
            };
            self.board.push(part);
        }
        self.write_types();
        self.write_board();
        let tasks = 3 + self.random.below(2);
        for task in 0..tasks {
            self.write_task(task);
        }
        put!(self, "func main(args: list[string]) {{");
        put!(self, "  let rounds = args[0].parse_int()!");
        put!(self, "  let board = new_board()");
        put!(self, "  let seen = repeated(0, {tasks})");
        put!(self, "  parallel {{");
        for task in 0..tasks {
            put!(self, "    seen[{task}] = task{task}(board, rounds)");
        }
        put!(self, "  }}");
        put!(self, "  print(sum(seen) % 2 == 0 or true)");
        put!(self, "}}");
        // Functions for types that others are made of make more of them known.
        let mut written = 0;
        while written < self.known.len() {
            self.write_functions(written);
            written += 1;
        }
    }

    fn some_type(&mut self, depth: usize) -> Type {
        let choice = self.random.below(if depth == 0 { 7 } else { 17 });
        let mut inner = || Box::new(self.some_type(depth - 1));
        match choice {
            0 | 1 => Type::Int,
            2 => Type::Float,
            3 => Type::Bool,
            4 => Type::Byte,
            5 | 6 => Type::Text,
            7 | 8 => match *inner() {
                Type::Optional(already) => Type::Optional(already),
                other => Type::Optional(Box::new(other)),
            },
            9 | 10 => Type::Pair(inner(), inner()),
            11 => Type::List(inner()),
            12 => Type::Function(inner()),
            13 => Type::Result(inner()),
            14 => {
                let value = inner();
                Type::Map(Box::new(self.key()), value)
            }
            15 if !self.records.is_empty() => Type::Record(self.random.below(self.records.len())),
            16 if !self.enums.is_empty() => Type::Enum(self.random.below(self.enums.len())),
            _ => Type::Text,
        }
    }

    fn key(&mut self) -> Type {
        loop {
            let depth = self.random.below(2);
            let key = self.some_type(depth);
            if key.is_comparable(&self.records, &self.enums) {
                return key;
            }
        }
    }

    fn is_comparable(&self, ty: &Type) -> bool {
        ty.is_comparable(&self.records, &self.enums)
    }

    fn number(&mut self, ty: &Type) -> usize {
        self.known.iter().position(|known| known == ty).unwrap_or_else(|| {
            self.known.push(ty.clone());
            self.known.len() - 1
        })
    }

    /// A call that makes a value of the type from an int.
    fn make(&mut self, ty: &Type, from: &str) -> String {
        format!("make{}({from})", self.number(ty))
    }

    /// A call that looks at all of a value and gives an int.
    fn look(&mut self, ty: &Type, value: &str) -> String {
        format!("look{}({value})", self.number(ty))
    }

    fn write_types(&mut self) {
        for (number, fields) in self.records.clone().iter().enumerate() {
            let fields: Vec<String> =
                fields.iter().enumerate().map(|(i, ty)| format!("f{i}: {}", ty.name())).collect();
            let links = if number == 0 { ", next: R0?, kids: list[R0]" } else { "" };
            put!(self, "record R{number} {{ {}{links} }}", fields.join(", "));
        }
        for (number, variants) in self.enums.clone().iter().enumerate() {
            let variant = |(i, fields): (usize, &Vec<Type>)| {
                let fields = fields.iter().enumerate();
                let fields: Vec<String> =
                    fields.map(|(j, ty)| format!("f{j}: {}", ty.name())).collect();
                let open = if fields.is_empty() {
                    String::new()
                } else {
                    format!("({})", fields.join(", "))
                };
                format!("V{number}x{i}{open}")
            };
            let variants: Vec<String> = variants.iter().enumerate().map(variant).collect();
            put!(self, "enum E{number} {{ {} }}", variants.join(", "));
        }
    }

    fn write_board(&mut self) {
        let board = self.board.clone();
        let fields: Vec<String> =
            board.iter().enumerate().map(|(i, ty)| format!("b{i}: {}", ty.name())).collect();
        put!(self, "record Board {{ {}, dice: Random, lines: Lines }}", fields.join(", "));
        put!(self, "func new_board() -> Board {{");
        let made: Vec<String> = board
            .iter()
            .enumerate()
            .map(|(i, ty)| format!("b{i}: {}", self.make(ty, &format!("{}", i + 3))))
            .collect();
        put!(
            self,
            "  return Board {{ {}, dice: random(1), lines: open_lines(\"lib/core.medi\")! }}",
            made.join(", ")
        );
        put!(self, "}}");
    }

    fn write_task(&mut self, task: usize) {
        let count = 2 + self.random.below(6);
        let acts: Vec<String> = (0..count).map(|_| self.act()).collect();
        put!(self, "func task{task}(board: Board, rounds: int) -> int {{");
        put!(self, "  var seen = 0");
        put!(self, "  for n in 0..rounds {{");
        put!(self, "    match n % {count} {{");
        for (index, act) in acts.iter().enumerate() {
            let pattern = if index + 1 == count { "_".into() } else { index.to_string() };
            put!(self, "      {pattern} => {{ {act} }}");
        }
        put!(self, "    }}");
        put!(self, "    seen = seen % 1000");
        put!(self, "  }}");
        put!(self, "  return seen");
        put!(self, "}}");
    }

    /// Statements that do something with a part of the board.
    fn act(&mut self) -> String {
        match self.random.below(40) {
            0 => return "scope { let own = allocate(64).view[int](); own[n % 8] = n; seen += own[n % 8] % 7 }".into(),
            1 => return "if n % 50 == 0 { memory.collect() }".into(),
            2 => {
                let (first, second) = (self.act_quietly(), self.act_quietly());
                return format!("parallel {{ {first}; {second} }}");
            }
            3 => return "if let line = board.lines.next()! { seen += line.len() }".into(),
            4 => return "board.lines = open_lines(\"lib/core.medi\")!".into(),
            5 => return "if n % 9 == 0 { board.lines.close() }".into(),
            _ => {}
        }
        let at = self.random.below(self.board.len());
        let (ty, place) = (self.board[at].clone(), format!("board.b{at}"));
        match &ty {
            Type::List(element) if self.random.below(8) > 0 => self.act_on_list(&place, element),
            Type::Map(key, value) if self.random.below(8) > 0 => {
                self.act_on_map(&place, key, value)
            }
            Type::Record(number) if self.random.below(8) > 0 => self.act_on_record(&place, *number),
            _ => self.act_on_value(&place, &ty),
        }
    }

    /// A statement that assigns no variable.
    fn act_quietly(&mut self) -> String {
        let at = self.random.below(self.board.len());
        let (ty, place) = (self.board[at].clone(), format!("board.b{at}"));
        match self.random.below(2) {
            0 => format!("{place} = {}", self.make(&ty, "n")),
            _ => self.look(&ty, &place),
        }
    }

    fn act_on_value(&mut self, place: &str, ty: &Type) -> String {
        let (made, seen) = (self.make(ty, "n"), self.look(ty, place));
        match self.random.below(6) {
            0 | 1 => format!("{place} = {made}"),
            // A result is compared by its value, and stops the program when it is a failure.
            2 if self.is_comparable(ty) && !matches!(ty, Type::Result(_)) => {
                format!("if {place} == {made} {{ seen += 1 }}")
            }
            3 if self.is_comparable(ty) => format!("seen += \"{{{place}}}\".len()"),
            4 => "seen += board.dice.below(5)".into(),
            _ => format!("seen += {seen}"),
        }
    }

    fn act_on_list(&mut self, list: &str, element: &Type) -> String {
        let made = self.make(element, "n");
        let seen = self.look(element, "x");
        let look = format!("(x => {seen})");
        let number = matches!(element, Type::Int | Type::Float);
        let shorten = format!("if {list}.len() > 60 {{ {list}.truncate(5) }}");
        let comparable = self.is_comparable(element);
        match self.random.below(40) {
            0..4 => format!("{list}.push({made}); {shorten}"),
            4 | 5 => format!("if not {list}.is_empty() {{ let x = {list}.pop(); seen += {seen} }}"),
            6 => format!("{list}.clear()"),
            7 => format!("{list}.shrink()"),
            8 => format!("{list}.insert(0, {made}); {shorten}"),
            9 => format!("if {list}.len() > 2 {{ let x = {list}.remove(1); seen += {seen} }}"),
            10 => format!("{list}.extend({list}.take(3)); {shorten}"),
            11 if element.is_ordered() => format!("{list}.sort()"),
            12 => format!("{list}.sort_by(x => {seen})"),
            13 => {
                let (a, b) = (self.look(element, "a"), self.look(element, "b"));
                format!("{list}.sort_with((a, b) => {a} < {b})")
            }
            14 | 15 => format!("if {list}.len() > n % 9 {{ {list}[n % 9] = {made} }}"),
            16 => format!("{list}.fill({made})"),
            17 => format!("if {list}.len() > 3 {{ {list}.swap(0, 3) }}"),
            18..21 => format!("for x in {list} {{ seen += {seen} }}"),
            21 => format!("for (i, x) in {list}.enumerate() {{ seen += i + {seen} }}"),
            22 if comparable => format!("seen += \"{{{list}}}\".len()"),
            23 if comparable => format!("if {list} == {list}.copy() {{ seen += 1 }}"),
            24 if comparable => format!("if {list}.contains({made}) {{ seen += 1 }}"),
            25 if comparable => format!("seen += {list}.unique().len() + {list}.tally().len()"),
            26 => format!("seen += {list}.group_by{look}.len()"),
            27 if comparable => {
                format!("seen += {list}.reverse().len() + {list}.join(\", \").len()")
            }
            28 => format!("seen += {list}.zip({list}).len() + {list}.chunks(3).len()"),
            29 => format!("seen += sum({list}.map{look}) % 7"),
            30 => format!("seen += {list}.filter(x => {seen} > 3).len()"),
            31 => format!("if let x = {list}.get(n % 7) {{ seen += {seen} }}"),
            32 => format!("parallel for x in {list} {{ {} }}", self.look(element, "x")),
            33 => format!("let task = spawn {list}.count(x => {seen} > 3); seen += task.join()"),
            34 => format!("{list} = [{made}, {made}]"),
            35 if number => format!("if mean({list}) > 3.0 {{ seen += 1 }}"),
            36 if number => format!("if sd({list}) + median({list}) > 3.0 {{ seen += 1 }}"),
            37 if number => format!(
                "if not {list}.is_empty() {{ if max({list}) > min({list}) {{ seen += 1 }} }}"
            ),
            38 if *element == Type::Byte => {
                format!("seen += string_from_bytes({list}, 0, min(4, {list}.len())).len()")
            }
            39 if comparable => format!("if let at = {list}.index_of({made}) {{ seen += at }}"),
            _ => format!("{list}.push({made}); {list}.make_room(4); {shorten}"),
        }
    }

    fn act_on_map(&mut self, map: &str, key: &Type, value: &Type) -> String {
        let (some_key, made) = (self.make(key, "n % 40"), self.make(value, "n"));
        let (key_seen, seen) = (self.look(key, "k"), self.look(value, "x"));
        match self.random.below(20) {
            0..5 => format!("{map}.set({some_key}, {made})"),
            5 | 6 => format!("if let x = {map}.remove({some_key}) {{ seen += {seen} }}"),
            7 => format!("{map}.clear()"),
            8 | 9 => format!("if let x = {map}.get({some_key}) {{ seen += {seen} }}"),
            10 => format!("let x = {map}.get_or({some_key}, {made}); seen += {seen}"),
            11 | 12 => format!("for (k, x) in {map} {{ seen += {key_seen} + {seen} }}"),
            13 => {
                format!("seen += {map}.keys().len() + {map}.values().len() + {map}.entries().len()")
            }
            14 if self.is_comparable(value) => format!("seen += \"{{{map}}}\".len()"),
            15 if self.is_comparable(value) => format!("if {map} == {map}.copy() {{ seen += 1 }}"),
            16 => format!("{map}.update({some_key}, {made}, x => {made})"),
            17 => format!("parallel for (k, x) in {map} {{ {}; {} }}", key_seen, seen),
            18 => format!("{map}.extend({map}.filter((k, x) => {seen} > 3))"),
            _ => format!("if {map}.has({some_key}) {{ seen += 1 }}"),
        }
    }

    fn act_on_record(&mut self, record: &str, number: usize) -> String {
        let ty = Type::Record(number);
        if number == 0 && self.random.below(2) == 0 {
            let made = self.make(&ty, "n");
            return match self.random.below(6) {
                0 => format!("{record}.next = {record}"),
                1 => format!("{record}.next = {made}"),
                2 => format!(
                    "{record}.kids.push({record}); if {record}.kids.len() > 5 {{ {record}.kids.clear() }}"
                ),
                3 => format!(
                    "if let next = {record}.next {{ next.next = {record}; next.kids.push(next) }}"
                ),
                4 => format!("{record}.kids = [{made}]"),
                _ => format!("{record}.next = nil"),
            };
        }
        let at = self.random.below(self.records[number].len());
        if number < 2 && self.random.below(2) == 0 {
            let field = self.records[number][at].clone();
            return format!("{record}.f{at} = {}", self.make(&field, "n"));
        }
        self.act_on_value(record, &ty)
    }

    fn write_functions(&mut self, number: usize) {
        let ty = self.known[number].clone();
        let name = ty.name();
        put!(self, "func make{number}(n: int) -> {name} {{");
        let made = self.body_of_make(&ty);
        put!(self, "  {made}");
        put!(self, "}}");
        put!(self, "func look{number}(x: {name}) -> int {{");
        let look = self.body_of_look(&ty);
        put!(self, "  {look}");
        put!(self, "}}");
    }

    fn body_of_make(&mut self, ty: &Type) -> String {
        match ty {
            Type::Int => "return n".into(),
            Type::Float => "return n / 7".into(),
            Type::Bool => "return n % 2 == 0".into(),
            Type::Byte => "return byte(65 + n % 26)".into(),
            Type::Text => "return \"text {n % 50}\"".into(),
            Type::Optional(inner) => {
                format!("if n % 3 == 0 {{ return nil }}\n  return {}", self.make(inner, "n"))
            }
            Type::Pair(a, b) => {
                format!("return ({}, {})", self.make(a, "n"), self.make(b, "n + 1"))
            }
            Type::List(inner) => format!(
                "let made: {} = []\n  for i in 0..n % 4 {{ made.push({}) }}\n  return made",
                ty.name(),
                self.make(inner, "n + i")
            ),
            Type::Map(key, value) => format!(
                "let made = {}()\n  for i in 0..n % 4 {{ made.set({}, {}) }}\n  return made",
                ty.name(),
                self.make(key, "n + i"),
                self.make(value, "n + i")
            ),
            Type::Function(inner) => format!("return () => {}", self.make(inner, "n")),
            Type::Result(inner) => {
                format!(
                    "if n % 4 == 0 {{ return fail(\"no {{n}}\") }}\n  return {}",
                    self.make(inner, "n")
                )
            }
            Type::Record(number) => {
                let fields = self.records[*number].clone();
                let fields: Vec<String> = fields
                    .iter()
                    .enumerate()
                    .map(|(i, field)| format!("f{i}: {}", self.make(field, &format!("n + {i}"))))
                    .collect();
                let links = if *number == 0 { ", next: nil, kids: []" } else { "" };
                format!("return R{number} {{ {}{links} }}", fields.join(", "))
            }
            Type::Enum(number) => {
                let variants = self.enums[*number].clone();
                let mut arms = String::new();
                for (i, fields) in variants.iter().enumerate() {
                    let values: Vec<String> =
                        fields.iter().map(|field| self.make(field, "n")).collect();
                    let open = if values.is_empty() {
                        String::new()
                    } else {
                        format!("({})", values.join(", "))
                    };
                    let pattern = if i + 1 == variants.len() { "_".into() } else { i.to_string() };
                    let _ = write!(arms, "\n    {pattern} => V{number}x{i}{open}");
                }
                format!("return match n % {} {{{arms}\n  }}", variants.len())
            }
        }
    }

    fn body_of_look(&mut self, ty: &Type) -> String {
        match ty {
            Type::Int => "return x % 1000".into(),
            Type::Float => "return if x > 3.0 { 1 } else { 0 }".into(),
            Type::Bool => "return if x { 1 } else { 0 }".into(),
            Type::Byte => "return x + 0".into(),
            Type::Text => "return x.len()".into(),
            Type::Optional(inner) => {
                format!("if let y = x {{ return {} }}\n  return 0", self.look(inner, "y"))
            }
            Type::Pair(a, b) => format!("return {} + {}", self.look(a, "x.0"), self.look(b, "x.1")),
            Type::List(inner) => format!(
                "var seen = 0\n  for y in x {{ seen += {} }}\n  return seen % 1000",
                self.look(inner, "y")
            ),
            Type::Map(key, value) => format!(
                "var seen = 0\n  for (k, y) in x {{ seen += {} + {} }}\n  return seen % 1000",
                self.look(key, "k"),
                self.look(value, "y")
            ),
            Type::Function(inner) => format!("return {}", self.look(inner, "x()")),
            Type::Result(inner) => format!(
                "return match x {{\n    Ok(y) => {}\n    Err(e) => e.len(){}\n  }}",
                self.look_at_match(inner, "y"),
                Self::arm_for_nil([&**inner])
            ),
            Type::Record(number) => {
                let fields = self.records[*number].clone();
                let fields: Vec<String> = fields
                    .iter()
                    .enumerate()
                    .map(|(i, field)| self.look(field, &format!("x.f{i}")))
                    .collect();
                let links = if *number == 0 { " + x.kids.len()" } else { "" };
                format!("return {}{links}", fields.join(" + "))
            }
            Type::Enum(number) => {
                let variants = self.enums[*number].clone();
                let mut arms = String::new();
                for (i, fields) in variants.iter().enumerate() {
                    let names: Vec<String> = (0..fields.len()).map(|j| format!("a{j}")).collect();
                    let open = if names.is_empty() {
                        String::new()
                    } else {
                        format!("({})", names.join(", "))
                    };
                    let looks: Vec<String> = fields
                        .iter()
                        .zip(&names)
                        .map(|(field, name)| self.look_at_match(field, name))
                        .collect();
                    let value = if looks.is_empty() { i.to_string() } else { looks.join(" + ") };
                    let _ = write!(arms, "\n    V{number}x{i}{open} => {value}");
                }
                let nil = Self::arm_for_nil(variants.iter().flatten());
                format!("return match x {{{arms}{nil}\n  }}")
            }
        }
    }

    /// The last arm of a match on values with such parts, whose patterns are names.
    fn arm_for_nil<'a>(parts: impl IntoIterator<Item = &'a Type>) -> &'static str {
        let mut parts = parts.into_iter();
        if parts.any(|part| matches!(part, Type::Optional(_))) { "\n    _ => 0" } else { "" }
    }

    /// The same of what a pattern has matched, which is never nil.
    fn look_at_match(&mut self, ty: &Type, value: &str) -> String {
        match ty {
            Type::Optional(inner) => self.look(inner, value),
            other => self.look(other, value),
        }
    }
}
