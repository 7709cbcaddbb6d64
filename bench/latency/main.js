// The same stores as main.medi, measured in the same way.

const EVENTS_OF_A_PATIENT = 8;
const CHURN_BATCH = 64;
const ARRAY_BYTES = 1024;

function main([store, size, operations]) {
  if (store === "churn") {
    const events = new Churn(Number(size));
    measure(() => events.batch(), CHURN_BATCH, Number(operations));
    console.log("checksum", events.checksum);
  } else {
    const arrays = new Window(Number(size));
    measure(() => arrays.push(), 1, Number(operations));
    console.log("checksum", arrays.checksum);
  }
}

// ---- churn ----

class Event {
  constructor(time, code, value, next) {
    this.time = time;
    this.code = code;
    this.value = value;
    this.next = next;
  }
}

class Churn {
  constructor(events) {
    this.patients = new Array(Math.floor(events / EVENTS_OF_A_PATIENT)).fill(null);
    this.time = 0;
    this.random = 2463534242;
    this.checksum = 0;
    for (let round = 0; round < EVENTS_OF_A_PATIENT; round++) {
      for (let i = 0; i < this.patients.length; i++) {
        this.patients[i] = this.event(this.draw(), this.patients[i]);
      }
    }
  }

  event(drawn, next) {
    this.time += 1;
    const code = drawn & 65535;
    return new Event(this.time, code, code * 0.5, next);
  }

  batch() {
    for (let i = 0; i < CHURN_BATCH; i++) this.replace();
  }

  replace() {
    const drawn = this.draw();
    const slot = (drawn >>> 1) % (this.patients.length * EVENTS_OF_A_PATIENT);
    const patient = Math.floor(slot / EVENTS_OF_A_PATIENT);
    const position = slot % EVENTS_OF_A_PATIENT;
    let event = this.patients[patient];
    if (position === 0) {
      this.patients[patient] = this.event(drawn, event.next);
      this.checksum += event.code;
    } else {
      for (let i = 1; i < position; i++) event = event.next;
      const old = event.next;
      event.next = this.event(drawn, old.next);
      this.checksum += old.code;
    }
  }

  // The next number of Marsaglia's xorshift with 32 bits.
  draw() {
    let x = this.random;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.random = x;
    return x >>> 0;
  }
}

// ---- window ----

class Window {
  constructor(arrays) {
    this.ring = new Array(arrays).fill(null);
    this.pushed = 0;
    this.checksum = 0;
    for (let i = 0; i < arrays; i++) this.ring[i] = this.array();
  }

  array() {
    this.pushed += 1;
    return new Uint8Array(ARRAY_BYTES).fill(this.pushed & 255);
  }

  push() {
    const oldest = this.pushed % this.ring.length;
    this.checksum += this.ring[oldest][ARRAY_BYTES - 1];
    this.ring[oldest] = this.array();
  }
}

// ---- measuring ----

function measure(batch, batchLen, operations) {
  if (operations === 0) {
    globalThis.gc();
    const usage = process.memoryUsage();
    console.log("live", usage.heapUsed + usage.external);
    return;
  }
  const batches = Math.floor(operations / batchLen);
  const [warmUp, latencies] = [new Latencies(), new Latencies()];
  warmUp.time(batch, Math.floor(batches / 4));
  const started = performance.now();
  latencies.time(batch, batches);
  const ended = performance.now();
  console.log("operations", batches * batchLen);
  console.log("nanoseconds", Math.round((ended - started) * 1e6));
  latencies.show();
}

class Latencies {
  constructor() {
    this.counts = new Float64Array(2048);
    this.longest = 0;
  }

  time(batch, batches) {
    let last = performance.now();
    for (let i = 0; i < batches; i++) {
      batch();
      const now = performance.now();
      this.add(Math.round((now - last) * 1e6));
      last = now;
    }
  }

  add(duration) {
    this.longest = Math.max(this.longest, duration);
    let bucket = 0;
    while (duration >= 64) {
      duration = Math.floor(duration / 2);
      bucket += 32;
    }
    this.counts[bucket + duration] += 1;
  }

  show() {
    console.log("longest", this.longest);
    this.counts.forEach((count, bucket) => {
      if (count > 0) console.log("bucket", bucket, count);
    });
  }
}

main(process.argv.slice(2));
