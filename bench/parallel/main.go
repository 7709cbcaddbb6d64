package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

const parts = 32

// each runs the parts on as many goroutines as there are threads.
func each(work func(part int)) {
	var next atomic.Int64
	var group sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		group.Add(1)
		go func() {
			defer group.Done()
			for part := int(next.Add(1)) - 1; part < parts; part = int(next.Add(1)) - 1 {
				work(part)
			}
		}()
	}
	group.Wait()
}

func words(text string, rounds int) {
	var made [parts]map[string]int
	each(func(part int) {
		counts := map[string]int{}
		for range rounds / parts {
			for _, word := range strings.Fields(text) {
				counts[strings.Clone(word)]++
			}
		}
		made[part] = counts
	})
	counts, total := map[string]int{}, 0
	for _, part := range made {
		for word, count := range part {
			counts[word] += count
		}
	}
	for _, count := range counts {
		total += count
	}
	fmt.Printf("%d words, %d in all\n", len(counts), total)
}

type event struct{ patient, value int }
type total struct{ count, sum int }

func group(part, count int) map[int]*total {
	var events []*event
	x := part + 1
	for range count {
		x = (x*1103515245 + 12345) % 2147483648
		events = append(events, &event{x / 65536 % 5000, x % 1000})
	}
	groups := map[int][]*event{}
	for _, e := range events {
		groups[e.patient] = append(groups[e.patient], e)
	}
	totals := map[int]*total{}
	for patient, group := range groups {
		sum := 0
		for _, e := range group {
			sum += e.value
		}
		totals[patient] = &total{len(group), sum}
	}
	return totals
}

func groups(events int) {
	var made [parts]map[int]*total
	each(func(part int) { made[part] = group(part, events/parts) })
	totals := map[int]*total{}
	for _, part := range made {
		for patient, more := range part {
			if totals[patient] == nil {
				totals[patient] = &total{}
			}
			totals[patient].count += more.count
			totals[patient].sum += more.sum
		}
	}
	count, sum := 0, 0
	for _, t := range totals {
		count += t.count
		sum += t.sum
	}
	fmt.Printf("%d patients, %d events, sum %d\n", len(totals), count, sum)
}

type tree struct{ left, right *tree }

func build(depth int) *tree {
	if depth == 0 {
		return &tree{}
	}
	return &tree{build(depth - 1), build(depth - 1)}
}

func (t *tree) count() int {
	nodes := 1
	if t.left != nil {
		nodes += t.left.count()
	}
	if t.right != nil {
		nodes += t.right.count()
	}
	return nodes
}

func trees(depth int) {
	var counts [parts]int
	each(func(part int) {
		for range 4 {
			counts[part] += build(depth).count()
		}
	})
	nodes := 0
	for _, count := range counts {
		nodes += count
	}
	fmt.Printf("%d nodes\n", nodes)
}

func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		panic(err)
	}
	return n
}

func main() {
	switch os.Args[1] {
	case "words":
		text, err := os.ReadFile(os.Args[2])
		if err != nil {
			panic(err)
		}
		words(string(text), number(os.Args[3]))
	case "groups":
		groups(number(os.Args[2]))
	case "trees":
		trees(number(os.Args[2]))
	}
}
