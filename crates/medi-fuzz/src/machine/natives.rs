//! The functions of the runtime that the library calls for what the programs do.

use super::memory::AccessKind;
use super::value::Value;
use super::{Fault, Machine, Stop};

impl Machine<'_> {
    /// Whether the value, what it captured, or the variable that it is, is an address of scope memory or a pin. A function
    /// value may have captured the variable that it is in; `variables` are those on the way here.
    fn looks_into_scope(&self, value: &Value, variables: &mut Vec<u32>) -> bool {
        let mut any =
            |parts: &[Value]| parts.iter().any(|part| self.looks_into_scope(part, variables));
        match value {
            Value::Buffer(_) | Value::View(_) | Value::Own(_) | Value::Pin(_) => true,
            Value::Closure(closure) => any(&closure.captures),
            Value::Object(number) => match self.objects[*number as usize].as_slice() {
                [variable] if !variables.contains(number) => {
                    variables.push(*number);
                    self.looks_into_scope(variable, variables)
                }
                _ => false,
            },
            whole => any(whole.parts()),
        }
    }

    pub(super) fn native(
        &mut self,
        symbol: &str,
        args: Vec<Value>,
        captures: &[Value],
    ) -> Result<Value, Stop> {
        let index = |at: usize| args[at].int() as usize;
        match symbol {
            "array_copy" => {
                let (from, to, count) = (args[0].object(), args[2].object(), index(4));
                let copied = self.objects[from][index(1)..index(1) + count].to_vec();
                self.objects[to].splice(index(3)..index(3) + count, copied);
            }
            // There is never room behind an array.
            "array_extend" => return Ok(Value::Bool(false)),
            "array_clear" => {
                let array = args[0].object();
                self.objects[array][index(1)..index(2)].fill(Value::Unit);
            }
            "view_copy" => {
                let (view, to) = (args[0].view(), args[1].object());
                self.memory.check(view.tag)?;
                for at in 0..view.len {
                    let bits = self.memory.load(view, at.into(), AccessKind::Read)?;
                    self.objects[to][at as usize] = Value::Int(bits);
                }
            }
            "view_sum_int" => {
                let view = args[0].view();
                self.memory.check(view.tag)?;
                let mut sum = 0i64;
                for at in 0..view.len {
                    let value = self.memory.load(view, at.into(), AccessKind::Read)?;
                    sum = sum.checked_add(value).ok_or(Stop::Trap("overflow"))?;
                }
                return Ok(Value::Int(sum));
            }
            "task_start" => {
                let Value::Closure(body) = &args[0] else { panic!("this is no function") };
                return Ok(Value::Int(self.start(body.clone())?));
            }
            "task_number" => return Ok(Value::Int(self.task.into())),
            // A function value runs that captured what may be scope memory; if it is none, that is an error of the run.
            "task_require" if index(0) as u32 != self.task => {
                let looks =
                    captures.iter().any(|captured| self.looks_into_scope(captured, &mut vec![]));
                return Err(if looks {
                    Stop::Fault(Fault::ForeignTask)
                } else {
                    Stop::Trap("other task")
                });
            }
            "task_require" => {}
            "task_join" => self.join(index(0))?,
            "tasks_all" | "tasks_all_or_fail" => {
                let bodies = self.objects[args[0].object()][..index(1)].to_vec();
                return self.arms(bodies.into_iter().map(|body| (body, vec![])).collect());
            }
            // Each step may run beside each other.
            "tasks_range" | "tasks_range_or_fail" => {
                let steps = args[0].int()..args[1].int();
                let arms = steps
                    .map(|step| (args[2].clone(), vec![Value::Int(step), Value::Int(step + 1)]));
                return self.arms(arms.collect());
            }
            "fmt_begin" => self.text.clear(),
            "fmt_text" => self.text.push_str(&args[0].text()),
            "fmt_value" => self.text.push_str(&args[0].int().to_string()),
            "fmt_print" => {}
            "fmt_end" => return Ok(Value::Text(std::mem::take(&mut self.text).into())),
            _ if symbol.starts_with("raise") => return Err(Stop::Trap("raise")),
            other => panic!("the programs have no native `{other}`"),
        }
        Ok(Value::Unit)
    }
}
