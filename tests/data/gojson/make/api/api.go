package api

type PeeringGenerateTokenRequest struct {
	PeerName                string
	Partition               string
	Meta                    map[string]string
	ServerExternalAddresses []string
}

type PeeringEstablishRequest struct {
	PeerName     string
	PeeringToken string
	Partition    string
	Meta         map[string]string
}
