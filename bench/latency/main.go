// The same stores as main.medi, measured in the same way.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"
)

const (
	eventsOfAPatient = 8
	churnBatch       = 64
	arrayBytes       = 1024
)

func main() {
	size, operations := number(os.Args[2]), number(os.Args[3])
	if os.Args[1] == "churn" {
		events := newChurn(size)
		measure(events.batch, churnBatch, operations)
		fmt.Println("checksum", events.checksum)
	} else {
		arrays := newWindow(size)
		measure(arrays.push, 1, operations)
		fmt.Println("checksum", arrays.checksum)
	}
}

func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		panic(err)
	}
	return n
}

// ---- churn ----

type event struct {
	time  int
	code  int
	value float64
	next  *event
}

type churn struct {
	patients []*event
	time     int
	random   uint32
	checksum int
}

func newChurn(events int) *churn {
	c := &churn{patients: make([]*event, events/eventsOfAPatient), random: 2463534242}
	for round := 0; round < eventsOfAPatient; round++ {
		for i := range c.patients {
			c.patients[i] = c.event(c.draw(), c.patients[i])
		}
	}
	return c
}

func (c *churn) event(drawn uint32, next *event) *event {
	c.time++
	code := int(drawn & 65535)
	return &event{time: c.time, code: code, value: float64(code) * 0.5, next: next}
}

func (c *churn) batch() {
	for i := 0; i < churnBatch; i++ {
		c.replace()
	}
}

func (c *churn) replace() {
	drawn := c.draw()
	slot := int(drawn>>1) % (len(c.patients) * eventsOfAPatient)
	patient, position := slot/eventsOfAPatient, slot%eventsOfAPatient
	e := c.patients[patient]
	if position == 0 {
		c.patients[patient] = c.event(drawn, e.next)
		c.checksum += e.code
	} else {
		for i := 1; i < position; i++ {
			e = e.next
		}
		old := e.next
		e.next = c.event(drawn, old.next)
		c.checksum += old.code
	}
}

// The next number of Marsaglia's xorshift with 32 bits.
func (c *churn) draw() uint32 {
	x := c.random
	x ^= x << 13
	x ^= x >> 17
	x ^= x << 5
	c.random = x
	return x
}

// ---- window ----

type window struct {
	ring     [][]byte
	pushed   int
	checksum int
}

func newWindow(arrays int) *window {
	w := &window{ring: make([][]byte, arrays)}
	for i := range w.ring {
		w.ring[i] = w.array()
	}
	return w
}

func (w *window) array() []byte {
	w.pushed++
	array := make([]byte, arrayBytes)
	for i := range array {
		array[i] = byte(w.pushed)
	}
	return array
}

func (w *window) push() {
	oldest := w.pushed % len(w.ring)
	w.checksum += int(w.ring[oldest][arrayBytes-1])
	w.ring[oldest] = w.array()
}

// ---- measuring ----

func measure(batch func(), batchLen, operations int) {
	if operations == 0 {
		runtime.GC()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		fmt.Println("live", stats.HeapAlloc)
		return
	}
	batches := operations / batchLen
	warmUp, l := &latencies{}, &latencies{}
	warmUp.time(batch, batches/4)
	started := time.Now()
	l.time(batch, batches)
	elapsed := time.Since(started)
	fmt.Println("operations", batches*batchLen)
	fmt.Println("nanoseconds", elapsed.Nanoseconds())
	l.show()
}

type latencies struct {
	counts  [2048]int
	longest time.Duration
}

func (l *latencies) time(batch func(), batches int) {
	start := time.Now()
	last := time.Duration(0)
	for i := 0; i < batches; i++ {
		batch()
		now := time.Since(start)
		l.add(now - last)
		last = now
	}
}

func (l *latencies) add(duration time.Duration) {
	l.longest = max(l.longest, duration)
	bucket := 0
	for duration >= 64 {
		duration >>= 1
		bucket += 32
	}
	l.counts[bucket+int(duration)]++
}

func (l *latencies) show() {
	fmt.Println("longest", l.longest.Nanoseconds())
	for bucket, count := range l.counts {
		if count > 0 {
			fmt.Println("bucket", bucket, count)
		}
	}
}
