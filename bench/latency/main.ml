(* The same stores as main.medi, measured in the same way. The clock of OCaml's library counts microseconds. *)

let events_of_a_patient = 8
let churn_batch = 64
let array_bytes = 1024

(* ---- measuring ---- *)

let now () = int_of_float (Unix.gettimeofday () *. 1e6) * 1000

type latencies = { counts : int array; mutable longest : int }

let add latencies duration =
  if duration > latencies.longest then latencies.longest <- duration;
  let rest = ref (max duration 0) and bucket = ref 0 in
  while !rest >= 64 do
    rest := !rest lsr 1;
    bucket := !bucket + 32
  done;
  let at = !bucket + !rest in
  latencies.counts.(at) <- latencies.counts.(at) + 1

let no_latencies () = { counts = Array.make 2048 0; longest = 0 }

let time latencies batch batches =
  let last = ref (now ()) in
  for _ = 1 to batches do
    batch ();
    let t = now () in
    add latencies (t - !last);
    last := t
  done

let show latencies =
  Printf.printf "longest %d\n" latencies.longest;
  Array.iteri
    (fun bucket count -> if count > 0 then Printf.printf "bucket %d %d\n" bucket count)
    latencies.counts

let measure batch batch_len operations =
  if operations = 0 then begin
    Gc.full_major ();
    Printf.printf "live %d\n" ((Gc.stat ()).Gc.live_words * 8)
  end
  else begin
    let batches = operations / batch_len in
    let warm_up = no_latencies () and latencies = no_latencies () in
    time warm_up batch (batches / 4);
    let started = now () in
    time latencies batch batches;
    let ended = now () in
    Printf.printf "operations %d\nnanoseconds %d\n" (batches * batch_len) (ended - started);
    show latencies
  end

(* ---- churn ---- *)

type event = Nothing | Event of { time : int; code : int; value : float; mutable next : event }

type churn = {
  patients : event array;
  mutable time : int;
  mutable random : int;
  mutable checksum : int;
}

(* The next number of Marsaglia's xorshift with 32 bits. *)
let draw churn =
  let x = churn.random in
  let x = x lxor ((x lsl 13) land 0xffffffff) in
  let x = x lxor (x lsr 17) in
  let x = x lxor ((x lsl 5) land 0xffffffff) in
  churn.random <- x;
  x

let make_event churn drawn next =
  churn.time <- churn.time + 1;
  let code = drawn land 65535 in
  Event { time = churn.time; code; value = float_of_int code *. 0.5; next }

let filled events =
  let count = events / events_of_a_patient in
  let churn = { patients = Array.make count Nothing; time = 0; random = 2463534242; checksum = 0 } in
  for _ = 1 to events_of_a_patient do
    for i = 0 to count - 1 do
      churn.patients.(i) <- make_event churn (draw churn) churn.patients.(i)
    done
  done;
  churn

let rec after event steps =
  match event with
  | Event { next; _ } when steps > 0 -> after next (steps - 1)
  | _ -> event

let replace churn =
  let drawn = draw churn in
  let slot = (drawn lsr 1) mod (Array.length churn.patients * events_of_a_patient) in
  let patient = slot / events_of_a_patient and position = slot mod events_of_a_patient in
  let first = churn.patients.(patient) in
  if position = 0 then
    match first with
    | Event old ->
        churn.patients.(patient) <- make_event churn drawn old.next;
        churn.checksum <- churn.checksum + old.code
    | Nothing -> assert false
  else
    match after first (position - 1) with
    | Event ({ next = Event old; _ } as before) ->
        before.next <- make_event churn drawn old.next;
        churn.checksum <- churn.checksum + old.code
    | _ -> assert false

let batch churn () =
  for _ = 1 to churn_batch do
    replace churn
  done

(* ---- window ---- *)

type window = { ring : Bytes.t array; mutable pushed : int; mutable sum : int }

let make_array window =
  window.pushed <- window.pushed + 1;
  Bytes.make array_bytes (Char.chr (window.pushed land 255))

let full arrays =
  let window = { ring = Array.make arrays Bytes.empty; pushed = 0; sum = 0 } in
  for i = 0 to arrays - 1 do
    window.ring.(i) <- make_array window
  done;
  window

let push window () =
  let oldest = window.pushed mod Array.length window.ring in
  window.sum <- window.sum + Char.code (Bytes.get window.ring.(oldest) (array_bytes - 1));
  window.ring.(oldest) <- make_array window

let () =
  let size = int_of_string Sys.argv.(2) and operations = int_of_string Sys.argv.(3) in
  if Sys.argv.(1) = "churn" then begin
    let events = filled size in
    measure (batch events) churn_batch operations;
    Printf.printf "checksum %d\n" events.checksum
  end
  else begin
    let arrays = full size in
    measure (push arrays) 1 operations;
    Printf.printf "checksum %d\n" arrays.sum
  end
