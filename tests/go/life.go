package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/consul/api"
)

// How long a state may take: a dialer that has just failed waits a few seconds before it tries again.
const stateWithin = 60 * time.Second

const spent = "Unexpected response code: 403 (a new peering token must be generated: " +
	"invalid peering establishment secret)"

// life leads a peering from its first token to its end, on both sides.
func life(r *Report, pair Pair) {
	west, east := "west-"+string(pair.Acceptor.transport), "east-"+string(pair.Acceptor.transport)
	acceptor, dialer := pair.Acceptor.Manager(), pair.Dialer.Manager()
	first, second := generated(r, acceptor, east)
	established(r, acceptor, dialer, west, east, first, second)
	offered(r, acceptor, dialer, west, east)
	misused(r, acceptor, dialer, west, east)
	ended(r, acceptor, dialer, west, east)
}

// generated makes a peering and two tokens for it, of which the second voids the first.
func generated(r *Report, acceptor *api.Client, east string) (string, string) {
	ctx := context.Background()
	absent, meta, err := acceptor.Peerings().Read(ctx, east, nil)
	r.Needs("read an unknown name", err)
	r.Equal("an unknown name", (*api.Peering)(nil), absent)
	r.Equal("metadata of what is not there", api.QueryMeta{DefaultACLPolicy: ""}, lasting(*meta))

	external := []string{"lb.example.net:8503"}
	answer, _, err := acceptor.Peerings().GenerateToken(ctx, api.PeeringGenerateTokenRequest{
		PeerName:                east,
		Meta:                    map[string]string{"env": "production", "region": "far east"},
		ServerExternalAddresses: external,
	}, nil)
	r.Needs("generate", err)
	token, err := decode(answer.PeeringToken)
	r.Needs("decode the token", err)
	// A server may add keys of its own after these.
	r.Equal("keys of the token", []string{
		"CA", "ManualServerAddresses", "ServerAddresses", "ServerName", "PeerID", "EstablishmentSecret", "Remote",
	}, token.keys[:min(7, len(token.keys))])
	r.Equal("external addresses in the token", external, token.ManualServerAddresses)
	r.Equal("datacenter in the token", "dc1", token.Remote.Datacenter)

	peering, meta, err := acceptor.Peerings().Read(ctx, east, nil)
	r.Needs("read", err)
	r.Equal("name", east, peering.Name)
	r.Equal("state", api.PeeringStatePending, peering.State)
	r.Equal("meta", map[string]string{"env": "production", "region": "far east"}, peering.Meta)
	r.Holds("id", peering.ID == token.PeerID, "the one in the token", peering.ID)
	r.Equal("nothing of a peer", api.Peering{}, ofPeer(*peering))
	r.Equal("remote", api.PeeringRemoteInfo{}, peering.Remote)
	r.Equal("stream", api.PeeringStreamStatus{}, peering.StreamStatus)
	r.Holds("index", meta.LastIndex == peering.ModifyIndex && peering.CreateIndex <= meta.LastIndex,
		"the one of the last change", meta.LastIndex)
	r.Equal("metadata", api.QueryMeta{
		KnownLeader: true, QueryBackend: api.QueryBackendBlockingQuery, DefaultACLPolicy: "deny",
	}, lasting(*meta))

	again, _, err := acceptor.Peerings().GenerateToken(ctx, api.PeeringGenerateTokenRequest{
		PeerName: east,
		Meta:     map[string]string{"env": "other"},
	}, nil)
	r.Needs("generate again", err)
	newer, err := decode(again.PeeringToken)
	r.Needs("decode the second token", err)
	r.Holds("id in the second token", newer.PeerID == token.PeerID, "the same", newer.PeerID)
	r.Holds("secret in the second token", newer.EstablishmentSecret != token.EstablishmentSecret, "another", "the same")
	r.Equal("external addresses, not given again", []string(nil), newer.ManualServerAddresses)
	later, _, err := acceptor.Peerings().Read(ctx, east, nil)
	r.Needs("read after that", err)
	r.Equal("meta after that", peering.Meta, later.Meta)
	r.Holds("index after that", later.ModifyIndex > peering.ModifyIndex, "a larger one", later.ModifyIndex)

	// The first token leads to nowhere because of its address; with that taken away it would be a token like others.
	voided, err := withoutExternalAddresses(answer.PeeringToken)
	r.Needs("take the address out of the first token", err)
	return voided, again.PeeringToken
}

// established uses the tokens, and waits until both sides are connected.
func established(r *Report, acceptor, dialer *api.Client, west, east, first, second string) {
	ctx := context.Background()
	_, _, err := dialer.Peerings().Establish(ctx, api.PeeringEstablishRequest{PeerName: west, PeeringToken: first}, nil)
	r.Refused("establish with the first token", err, spent)

	answer, _, err := dialer.Peerings().Establish(ctx, api.PeeringEstablishRequest{
		PeerName:     west,
		PeeringToken: second,
		Meta:         map[string]string{"side": "dialer"},
	}, nil)
	r.Needs("establish with the second", err)
	r.Equal("answer", &api.PeeringEstablishResponse{}, answer)

	token, _ := decode(second)
	dialing := reaches(r, "dialer", dialer, west, api.PeeringStateActive)
	r.Holds("dialer: peer id", dialing.PeerID == token.PeerID, "the one in the token", dialing.PeerID)
	r.Holds("dialer: own id", dialing.ID != dialing.PeerID && uuid.MatchString(dialing.ID), "another uuid", dialing.ID)
	r.Holds("dialer: server name", dialing.PeerServerName == token.ServerName, "the one in the token", dialing.PeerServerName)
	r.Holds("dialer: addresses", len(dialing.PeerServerAddresses) > 0, "at least one", dialing.PeerServerAddresses)
	r.Holds("dialer: roots", len(dialing.PeerCAPems) > 0, "at least one", len(dialing.PeerCAPems))
	r.Equal("dialer: meta", map[string]string{"side": "dialer"}, dialing.Meta)
	r.Equal("dialer: remote", api.PeeringRemoteInfo{Datacenter: "dc1"}, dialing.Remote)

	accepting := reaches(r, "acceptor", acceptor, east, api.PeeringStateActive)
	r.Equal("acceptor: remote", api.PeeringRemoteInfo{Datacenter: "dc2"}, accepting.Remote)
	r.Equal("acceptor: peer id, server name, addresses", api.Peering{}, ofPeer(api.Peering{
		PeerID: accepting.PeerID, PeerServerName: accepting.PeerServerName,
		PeerServerAddresses: accepting.PeerServerAddresses,
	}))
	hears(r, "acceptor", acceptor, east)
	hears(r, "dialer", dialer, west)

	_, _, err = dialer.Peerings().Establish(ctx, api.PeeringEstablishRequest{PeerName: west, PeeringToken: second}, nil)
	r.Refused("establish with the second once more", err, spent)
}

// hears waits until a side has heard its peer.
func hears(r *Report, name string, client *api.Client, peer string) {
	peering := awaits(r, name+": heartbeat", client, peer, "one", func(peering *api.Peering) bool {
		return peering != nil && peering.StreamStatus.LastHeartbeat != nil
	})
	status := peering.StreamStatus
	r.Holds(name+": times of the stream", status.LastReceive != nil && status.LastSend != nil &&
		!status.LastReceive.IsZero() && !status.LastSend.IsZero(), "two", status)
	r.Equal(name+": services", api.PeeringStreamStatus{}, api.PeeringStreamStatus{
		ImportedServices: status.ImportedServices, ExportedServices: status.ExportedServices,
	})
}

// offered exports a service to the other side and takes it back.
func offered(r *Report, acceptor, dialer *api.Client, west, east string) {
	entry := exporting("web")
	entry.Services[0].Consumers[0].Peer = east
	_, _, err := acceptor.ConfigEntries().Set(entry, nil)
	r.Needs("export a service", err)
	awaits(r, "acceptor: exported", acceptor, east, "web", func(peering *api.Peering) bool {
		return slices.Equal(peering.StreamStatus.ExportedServices, []string{"web"})
	})
	awaits(r, "dialer: imported", dialer, west, "web", func(peering *api.Peering) bool {
		return slices.Equal(peering.StreamStatus.ImportedServices, []string{"web"})
	})
	_, err = acceptor.ConfigEntries().Delete(api.ExportedServices, "default", nil)
	r.Needs("export nothing", err)
	awaits(r, "acceptor: exported", acceptor, east, "nothing", func(peering *api.Peering) bool {
		return peering.StreamStatus.ExportedServices == nil
	})
	awaits(r, "dialer: imported", dialer, west, "nothing", func(peering *api.Peering) bool {
		return peering.StreamStatus.ImportedServices == nil
	})
}

// misused tries what cannot work between the two.
func misused(r *Report, acceptor, dialer *api.Client, west, east string) {
	ctx := context.Background()
	_, _, err := dialer.Peerings().GenerateToken(ctx, api.PeeringGenerateTokenRequest{PeerName: west}, nil)
	r.Refused("generate for a name that is dialed", err, fmt.Sprintf(
		`Unexpected response code: 500 (cannot create peering with name: "%s"; there is already an established peering)`,
		west))

	other, _, err := dialer.Peerings().GenerateToken(ctx, api.PeeringGenerateTokenRequest{PeerName: "other"}, nil)
	r.Needs("generate the other way", err)
	_, _, err = acceptor.Peerings().Establish(ctx, api.PeeringEstablishRequest{
		PeerName: east, PeeringToken: other.PeeringToken,
	}, nil)
	r.Refused("establish under a name that is accepted", err, fmt.Sprintf("Unexpected response code: 500 "+
		`(cannot create peering with name: "%s"; there is an existing peering expecting to be dialed)`, east))

	token, err := decode(other.PeeringToken)
	r.Needs("decode the other token", err)
	_, _, err = dialer.Peerings().Establish(ctx, api.PeeringEstablishRequest{
		PeerName: "myself", PeeringToken: other.PeeringToken,
	}, nil)
	r.Refused("establish with oneself", err, "Unexpected response code: 500 "+
		`(cannot create a peering within the same cluster "`+token.ServerName+`". Refer to the `+"`exported-services`"+
		" documentation if you want to export between partitions without peering)")
	removed(r, "the other", dialer, "other")
}

// ended deletes on one side, which ends the other.
func ended(r *Report, acceptor, dialer *api.Client, west, east string) {
	ctx := context.Background()
	removed(r, "acceptor", acceptor, east)
	peering := reaches(r, "dialer", dialer, west, api.PeeringStateTerminated)
	r.Equal("dialer: time of deletion", true, peering.DeletedAt == nil)
	removed(r, "dialer", dialer, west)
	_, err := acceptor.Peerings().Delete(ctx, east, nil)
	r.Works("delete what is not there", err)
	for _, side := range []struct {
		name   string
		client *api.Client
	}{{"acceptor", acceptor}, {"dialer", dialer}} {
		all, _, err := side.client.Peerings().List(ctx, nil)
		r.Needs(side.name+": list at the end", err)
		r.Equal(side.name+": what is left", []string(nil), names(all))
	}
}

// removed deletes a peering and waits until it is gone.
func removed(r *Report, name string, client *api.Client, peer string) {
	_, err := client.Peerings().Delete(context.Background(), peer, nil)
	r.Needs(name+": delete", err)
	awaits(r, name+": after that", client, peer, "nothing", func(peering *api.Peering) bool {
		return peering == nil
	})
}

// reaches waits until a peering is in a state, and returns it.
func reaches(r *Report, name string, client *api.Client, peer string, state api.PeeringState) *api.Peering {
	return awaits(r, name+": state", client, peer, string(state), func(peering *api.Peering) bool {
		return peering != nil && peering.State == state
	})
}

// awaits reads a peering again and again until it is as expected, and returns it.
func awaits(r *Report, what string, client *api.Client, peer, expected string, is func(*api.Peering) bool) *api.Peering {
	deadline := time.Now().Add(stateWithin)
	for {
		peering, _, err := client.Peerings().Read(context.Background(), peer, nil)
		switch {
		case err != nil:
			r.Needs(what, err)
		case is(peering):
			r.Holds(what, true, expected, nil)
			return peering
		case time.Now().After(deadline):
			r.Holds(what, false, expected, peering)
			panic(givenUp{})
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// names returns the names of peerings in the order of the list.
func names(peerings []*api.Peering) []string {
	var names []string
	for _, peering := range peerings {
		names = append(names, peering.Name)
	}
	return names
}

// ofPeer keeps what is known of the other side.
func ofPeer(peering api.Peering) api.Peering {
	return api.Peering{
		PeerID:              peering.PeerID,
		PeerCAPems:          peering.PeerCAPems,
		PeerServerName:      peering.PeerServerName,
		PeerServerAddresses: peering.PeerServerAddresses,
	}
}

// lasting keeps what does not differ from call to call.
func lasting(meta api.QueryMeta) api.QueryMeta {
	meta.LastIndex, meta.RequestTime = 0, 0
	return meta
}
