// Prints what Go's encoding/json and encoding/base64 say about many texts.
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"strings"
	"unicode/utf8"

	"govec/api"
	"govec/structs"
)

type vector struct {
	Input  string `json:"input,omitempty"`
	Base64 string `json:"input_base64,omitempty"`
	Error  string `json:"error,omitempty"`
	Value  string `json:"value,omitempty"`
}

func vec(in []byte, value any, err error) vector {
	var v vector
	if utf8.Valid(in) && !bytes.Contains(in, []byte("\ufffd")) {
		v.Input = string(in)
	} else {
		v.Base64 = base64.StdEncoding.EncodeToString(in)
	}
	if err != nil {
		v.Error = err.Error()
	} else {
		out, _ := json.Marshal(value)
		v.Value = string(out)
	}
	return v
}

func token(in []byte) vector {
	var t structs.PeeringToken
	err := json.Unmarshal(in, &t)
	for _, l := range []*[]string{&t.CA, &t.ManualServerAddresses, &t.ServerAddresses} {
		if len(*l) == 0 {
			*l = nil
		}
	}
	return vec(in, t, err)
}

func body(in []byte) vector {
	r := &api.PeeringGenerateTokenRequest{}
	d := json.NewDecoder(bytes.NewReader(in))
	d.DisallowUnknownFields()
	err := d.Decode(r)
	if len(r.Meta) == 0 {
		r.Meta = nil
	}
	if len(r.ServerExternalAddresses) == 0 {
		r.ServerExternalAddresses = nil
	}
	return vec(in, r, err)
}

func b64(in []byte) vector {
	out, err := base64.StdEncoding.DecodeString(string(in))
	v := vec(in, nil, err)
	if err == nil {
		v.Value = fmt.Sprintf("%x", out)
	}
	return v
}

func write(name string, vs []vector) {
	var b bytes.Buffer
	seen := map[string]bool{}
	for _, v := range vs {
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		k := v.Input + "|" + v.Base64
		if seen[k] {
			continue
		}
		seen[k] = true
		e.Encode(v)
	}
	os.WriteFile(name, b.Bytes(), 0o644)
}

func mutate(r *rand.Rand, seed []byte) []byte {
	out := append([]byte(nil), seed...)
	alphabet := []byte("{}[]:,\"\\ tfnu0123-+.eE/ax\n\r=A\x01\xff\xc3\xa9")
	for n := 1 + r.Intn(3); n > 0 && len(out) > 0; n-- {
		i := r.Intn(len(out))
		c := alphabet[r.Intn(len(alphabet))]
		switch r.Intn(4) {
		case 0:
			out = out[:i]
		case 1:
			out[i] = c
		case 2:
			out = append(out[:i], append([]byte{c}, out[i:]...)...)
		case 3:
			out = append(out[:i], out[i+1:]...)
		}
	}
	return out
}

func main() {
	r := rand.New(rand.NewSource(20260101))
	hand := strings.Split(strings.ReplaceAll(handmade, "\t", ""), "\n")
	var tokens, bodies, b64s []vector
	for _, h := range hand {
		s := h
		if q := strings.TrimPrefix(h, "Q:"); q != h {
			fmt.Sscanf(q, "%q", &s)
		}
		tokens = append(tokens, token([]byte(s)))
		bodies = append(bodies, body([]byte(s)))
	}
	seeds := []string{
		`{"CA":["a"],"ServerName":"s","Remote":{"Datacenter":"dc1","Locality":{"Region":"r"}},"x":[1.5e+3,true,false,null,"\u00e9\n"]}`,
		`[{"a":[-0.1E-2,{}]},[],"q"]`,
	}
	for i := 0; i < 400; i++ {
		tokens = append(tokens, token(mutate(r, []byte(seeds[i%2]))))
	}
	bseeds := []string{
		`{"PeerName":"c2","Meta":{"a":"b"},"ServerExternalAddresses":["h:1"]}`,
		` {"PeerName":"c2","Partition":"default","Meta":null}{}`,
		`null`, `12.5e3`, `"s"`,
	}
	for i := 0; i < 300; i++ {
		bodies = append(bodies, body(mutate(r, []byte(bseeds[i%5]))))
	}
	for _, s := range []string{"", "+++/+++", "Cg==", "e30=", "QQ==", "QR==", "QQ=", "QQ", "Q", "Q=", "=", "==", "QQ=Q", "QQ==Q", "QQ==QQ==", "QQ==\n", "QQ=\n=", "QQ\n==", "QQ=\nx", "QQ=\n", "QQ==\n\nx", "QUJ\n", "QU\nJ", "Q\r\n", "\n\n", "QUJDQ", "QUJD\nQ\n", "QUJD QUJD", "QUJD-_", "QUJDRA", "QUJDREVGR0g=", "QUJDREVGR0g", "QUJDREVGR0hJSktM!", "QUJDREVGR0hJSktMé", "QUI==", "QUI=\n", "QUI=Q", "QUJD====", "\nQ", "QUJDREVG\nR0hJSktM\nQ"} {
		b64s = append(b64s, b64([]byte(s)))
	}
	for i := 0; i < 300; i++ {
		raw := make([]byte, r.Intn(20))
		r.Read(raw)
		b64s = append(b64s, b64(mutate(r, []byte(base64.StdEncoding.EncodeToString(raw)))))
	}
	dir := os.Args[1]
	write(dir+"/unmarshal.jsonl", tokens)
	write(dir+"/decoder.jsonl", bodies)
	write(dir+"/base64.jsonl", b64s)
}
