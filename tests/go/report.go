package main

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"
)

// Report prints each check as it is made, and counts.
type Report struct {
	transport Transport
	group     string
	total     int
	failed    int
}

// given up: a group cannot go on without what has just failed.
type givenUp struct{}

// Group runs checks that belong together, up to the first that all others need.
func (r *Report) Group(name string, checks func()) {
	r.group = name
	defer func() {
		if cause := recover(); cause != nil {
			if _, known := cause.(givenUp); !known {
				panic(cause)
			}
		}
	}()
	checks()
}

// Equal checks that a value is the expected one.
func (r *Report) Equal(what string, expected, got any) {
	r.line(reflect.DeepEqual(expected, got), what, show(expected), show(got))
}

// Holds checks that something is true of a value which differs from run to run.
func (r *Report) Holds(what string, holds bool, expected string, got any) {
	if holds {
		r.line(true, what, expected, expected)
	} else {
		r.line(false, what, expected, show(got))
	}
}

// Works checks that there was no error, and reports whether.
func (r *Report) Works(what string, err error) bool {
	if err != nil {
		r.line(false, what, "no error", err.Error())
		return false
	}
	r.line(true, what, "no error", "no error")
	return true
}

// Needs is like Works, and gives up the group on an error.
func (r *Report) Needs(what string, err error) {
	if !r.Works(what, err) {
		panic(givenUp{})
	}
}

// Refused checks that there was an error with exactly this text.
func (r *Report) Refused(what string, err error, expected string) {
	if err == nil {
		r.line(false, what, show(expected), "no error")
		return
	}
	r.line(err.Error() == expected, what, show(expected), show(err.Error()))
}

// RefusedWith checks that there was an error that contains this text.
func (r *Report) RefusedWith(what string, err error, part string) {
	if err == nil {
		r.line(false, what, "an error with "+show(part), "no error")
		return
	}
	r.Holds(what, strings.Contains(err.Error(), part), "an error with "+show(part), err.Error())
}

func (r *Report) line(good bool, what, expected, got string) {
	r.total++
	place := fmt.Sprintf("%-5s %-10s %s", r.transport, r.group, what)
	if good {
		fmt.Printf("ok   %s: %s\n", place, redact(got))
		return
	}
	r.failed++
	fmt.Printf("FAIL %s: expected %s, got %s\n", place, expected, got)
}

func show(value any) string {
	switch value := value.(type) {
	case string:
		return fmt.Sprintf("%q", value)
	case error:
		return fmt.Sprintf("%q", value.Error())
	default:
		return fmt.Sprintf("%+v", value)
	}
}

var uuid = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

// redact leaves out what differs from run to run.
func redact(text string) string {
	return uuid.ReplaceAllString(text, "<uuid>")
}
