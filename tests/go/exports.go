package main

import (
	"errors"
	"net/http"

	"github.com/hashicorp/consul/api"
)

func exporting(services ...string) *api.ExportedServicesConfigEntry {
	entry := &api.ExportedServicesConfigEntry{Name: "default"}
	for _, service := range services {
		entry.Services = append(entry.Services, api.ExportedService{
			Name: service, Consumers: []api.ServiceConsumer{{Peer: "east"}},
		})
	}
	return entry
}

// exports leads the list of exported services through its life.
func exports(r *Report, pair Pair) {
	client := pair.Acceptor.Manager()
	entries := client.ConfigEntries()
	_, _, err := entries.Get(api.ExportedServices, "default", nil)
	r.Refused("get what is not there", err,
		`Unexpected response code: 404 (Config entry not found for "exported-services" / "default")`)
	var status api.StatusError
	r.Equal("its code", true, errors.As(err, &status) && status.Code == http.StatusNotFound)
	exported, meta, err := client.ExportedServices(nil)
	r.Needs("exported services", err)
	r.Equal("what is exported", 0, len(exported))
	r.Equal("leader known", true, meta.KnownLeader)

	written, _, err := entries.CAS(exporting("web"), 0, nil)
	r.Needs("set if it is not there", err)
	r.Equal("whether it was set", true, written)
	written, _, err = entries.CAS(exporting("db"), 0, nil)
	r.Needs("set if it is not there, once more", err)
	r.Equal("whether it was set", false, written)

	entry, meta, err := entries.Get(api.ExportedServices, "default", nil)
	r.Needs("get", err)
	got, _ := entry.(*api.ExportedServicesConfigEntry)
	r.Equal("what was got", exporting("web").Services, got.Services)
	r.Equal("kind and name", []string{api.ExportedServices, "default"}, []string{entry.GetKind(), entry.GetName()})
	r.Holds("its indexes", got.CreateIndex > 0 && got.ModifyIndex == got.CreateIndex && meta.LastIndex == got.ModifyIndex,
		"above 0 and equal", got)
	r.Equal("leader known", true, meta.KnownLeader)

	written, _, err = entries.CAS(exporting("web", "db"), got.ModifyIndex, nil)
	r.Needs("set if it is as read", err)
	r.Equal("whether it was set", true, written)
	written, _, err = entries.CAS(exporting("api"), got.ModifyIndex, nil)
	r.Needs("set if it is as read before", err)
	r.Equal("whether it was set", false, written)

	all, _, err := entries.List(api.ExportedServices, nil)
	r.Needs("list", err)
	r.Equal("how many", 1, len(all))

	plain, _, err := entries.Set(exporting("web", "api"), nil)
	r.Needs("set", err)
	r.Equal("whether it was set", true, plain)
	resolved(r, client)
	refusedExports(r, entries)

	deleted, _, err := entries.DeleteCAS(api.ExportedServices, "default", 1, nil)
	r.Needs("delete if it is as never", err)
	r.Equal("whether it was deleted", false, deleted)
	_, err = entries.Delete(api.ExportedServices, "default", nil)
	r.Needs("delete", err)
	_, err = entries.Delete(api.ExportedServices, "default", nil)
	r.Works("delete once more", err)
	_, _, err = entries.Get(api.ExportedServices, "default", nil)
	r.Refused("get after that", err,
		`Unexpected response code: 404 (Config entry not found for "exported-services" / "default")`)
	exported, _, err = client.ExportedServices(nil)
	r.Needs("exported services after that", err)
	r.Equal("what is exported after that", 0, len(exported))
}

// resolved asks for what is exported, as it is understood.
func resolved(r *Report, client *api.Client) {
	exported, meta, err := client.ExportedServices(nil)
	r.Needs("exported services", err)
	r.Equal("what is exported", []api.ResolvedExportedService{
		{Service: "api", Consumers: api.ResolvedConsumers{Peers: []string{"east"}}},
		{Service: "web", Consumers: api.ResolvedConsumers{Peers: []string{"east"}}},
	}, exported)
	r.Holds("index of what is exported", meta.LastIndex > 0, "above 0", meta.LastIndex)
}

func refusedExports(r *Report, entries *api.ConfigEntries) {
	named := exporting("web")
	named.Name = "other"
	_, _, err := entries.Set(named, nil)
	r.Refused("another name", err, `Unexpected response code: 500 (exported-services Name must be "default")`)
	_, _, err = entries.Set(exporting(""), nil)
	r.Refused("a service without name", err,
		"Unexpected response code: 500 (Services[0]: service name cannot be empty)")
	lonely := exporting("web")
	lonely.Services[0].Consumers = nil
	_, _, err = entries.Set(lonely, nil)
	r.Refused("a service without consumers", err,
		"Unexpected response code: 500 (Services[0]: must have at least one consumer)")
	everybody := exporting("web")
	everybody.Services[0].Consumers[0].Peer = "*"
	_, _, err = entries.Set(everybody, nil)
	r.Refused("all peers", err, "Unexpected response code: 500 "+
		"(Services[0].Consumers[0]: exporting to all peers (wildcard) is not supported)")
	partitioned := exporting("web")
	partitioned.Services[0].Consumers[0].Partition = "other"
	_, _, err = entries.Set(partitioned, nil)
	r.Refused("a peer and a partition", err, "Unexpected response code: 500 "+
		"(Services[0].Consumers[0]: must define at most one of Peer, Partition, or SamenessGroup)")
	both := exporting("web")
	both.Services[0].Consumers[0].SamenessGroup = "group"
	_, _, err = entries.Set(both, nil)
	r.Refused("a peer and a group", err, "Unexpected response code: 500 "+
		"(Services[0].Consumers[0]: sameness-groups are an enterprise-only feature)")
}
