package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
)

// Decoded is what is in a peering token. The API treats it as opaque; whoever dials does not.
type Decoded struct {
	CA                    []string
	ManualServerAddresses []string
	ServerAddresses       []string
	ServerName            string
	PeerID                string
	EstablishmentSecret   string
	Remote                struct {
		Partition  string
		Datacenter string
	}
	// Keys of the outermost object, in their order.
	keys []string
}

func decode(token string) (Decoded, error) {
	var decoded Decoded
	text, err := base64.StdEncoding.DecodeString(token)
	if err != nil {
		return decoded, err
	}
	if err := json.Unmarshal(text, &decoded); err != nil {
		return decoded, err
	}
	decoded.keys, err = outermostKeys(text)
	return decoded, err
}

func outermostKeys(text []byte) ([]string, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	if _, err := decoder.Token(); err != nil {
		return nil, err
	}
	var keys []string
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		keys = append(keys, key.(string))
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, err
		}
	}
	return keys, nil
}

// withoutExternalAddresses makes a token that leads where its cluster is.
func withoutExternalAddresses(token string) (string, error) {
	text, err := base64.StdEncoding.DecodeString(token)
	if err != nil {
		return "", err
	}
	var parts map[string]json.RawMessage
	if err := json.Unmarshal(text, &parts); err != nil {
		return "", err
	}
	parts["ManualServerAddresses"] = json.RawMessage("null")
	text, err = json.Marshal(parts)
	return base64.StdEncoding.EncodeToString(text), err
}
