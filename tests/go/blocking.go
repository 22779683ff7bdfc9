package main

import (
	"context"
	"errors"
	"time"

	"github.com/hashicorp/consul/api"
)

// Longest time for what needs no waiting, on a busy machine.
const atOnce = 10 * time.Second

// Time that a call is given to reach the server and to be held there.
const held = 500 * time.Millisecond

// blocking waits for changes as a program does that follows a list.
func blocking(r *Report, pair Pair) {
	ctx := context.Background()
	client := pair.Acceptor.Manager()
	generate := func(name string) error {
		_, _, err := client.Peerings().GenerateToken(ctx, api.PeeringGenerateTokenRequest{PeerName: name}, nil)
		return err
	}
	r.Needs("generate b", generate("b"))
	r.Needs("generate a", generate("a"))

	all, meta, err := client.Peerings().List(ctx, nil)
	r.Needs("list", err)
	r.Equal("names, sorted", []string{"a", "b"}, names(all))
	r.Holds("index of the list", meta.LastIndex >= all[0].ModifyIndex && meta.LastIndex >= all[1].ModifyIndex,
		"that of the last change or later", meta.LastIndex)
	r.Equal("metadata of the list", api.QueryMeta{
		KnownLeader: true, QueryBackend: api.QueryBackendBlockingQuery, DefaultACLPolicy: "deny",
	}, lasting(*meta))

	again, later, err := client.Peerings().List(ctx, &api.QueryOptions{WaitIndex: meta.LastIndex, WaitTime: time.Second})
	r.Needs("list, waiting for 1 s", err)
	r.Equal("names after that", []string{"a", "b"}, names(again))
	r.Holds("time of that", later.RequestTime >= time.Second && later.RequestTime < time.Second+atOnce,
		"1 s or a little more", later.RequestTime)
	r.Holds("index after that", later.LastIndex == meta.LastIndex, "the same", later.LastIndex)

	_, past, err := client.Peerings().List(ctx, &api.QueryOptions{
		WaitIndex: 1, WaitTime: 5 * time.Minute, AllowStale: true,
	})
	r.Needs("list, waiting from an index of the past", err)
	r.Holds("time of that call", past.RequestTime < atOnce, "none", past.RequestTime)

	woken(r, "list", meta.LastIndex, func(options *api.QueryOptions) (any, *api.QueryMeta, error) {
		all, meta, err := client.Peerings().List(ctx, options)
		return names(all), meta, err
	}, func() error { return generate("c") }, []string{"a", "b", "c"})

	one, before, err := client.Peerings().Read(ctx, "c", nil)
	r.Needs("read", err)
	woken(r, "read", before.LastIndex, func(options *api.QueryOptions) (any, *api.QueryMeta, error) {
		after, meta, err := client.Peerings().Read(ctx, "c", options)
		if err != nil {
			return nil, nil, err
		}
		return after.ModifyIndex > one.ModifyIndex && meta.LastIndex == after.ModifyIndex, meta, nil
	}, func() error { return generate("c") }, true)

	_, now, err := client.Peerings().List(ctx, nil)
	r.Needs("list before what comes", err)
	woken(r, "read of what comes", now.LastIndex, func(options *api.QueryOptions) (any, *api.QueryMeta, error) {
		after, meta, err := client.Peerings().Read(ctx, "d", options)
		return after != nil, meta, err
	}, func() error { return generate("d") }, true)

	_, now, err = client.Peerings().List(ctx, nil)
	r.Needs("list before a deletion", err)
	woken(r, "list at a deletion", now.LastIndex, func(options *api.QueryOptions) (any, *api.QueryMeta, error) {
		_, meta, err := client.Peerings().List(ctx, options)
		return true, meta, err
	}, func() error {
		_, err := client.Peerings().Delete(ctx, "d", nil)
		return err
	}, true)

	impatient, stop := context.WithTimeout(ctx, held)
	defer stop()
	_, now, err = client.Peerings().List(ctx, nil)
	r.Needs("list before giving up", err)
	_, _, err = client.Peerings().Read(impatient, "a", &api.QueryOptions{WaitIndex: now.LastIndex + 1000})
	r.Holds("giving up", errors.Is(err, context.DeadlineExceeded), "the caller's own deadline", err)

	for _, name := range []string{"a", "b", "c", "d"} {
		removed(r, name, client, name)
	}
}

// woken holds a call at an index, changes something, and expects the call to return because of that.
func woken(r *Report, what string, index uint64, call func(*api.QueryOptions) (any, *api.QueryMeta, error),
	change func() error, expected any) {
	type outcome struct {
		value any
		meta  *api.QueryMeta
		err   error
	}
	returned := make(chan outcome, 1)
	go func() {
		value, meta, err := call(&api.QueryOptions{WaitIndex: index, WaitTime: 5 * time.Minute})
		returned <- outcome{value, meta, err}
	}()
	select {
	case early := <-returned:
		r.Holds(what+", waiting", false, "no answer without a change", early)
		panic(givenUp{})
	case <-time.After(held):
		r.Holds(what+", waiting", true, "no answer without a change", nil)
	}
	r.Needs(what+": a change", change())
	select {
	case got := <-returned:
		r.Needs(what+" returns", got.err)
		r.Equal(what+": what it found", expected, got.value)
		r.Holds(what+": index", got.meta.LastIndex > index, "a larger one", got.meta.LastIndex)
	case <-time.After(atOnce):
		r.Holds(what+" returns", false, "at once", "nothing")
		panic(givenUp{})
	}
}
