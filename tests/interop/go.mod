module interop

go 1.25.4

require (
	github.com/cloudflare/circl v1.6.1
	github.com/openpcc/twoway v0.0.37
	golang.org/x/sys v0.38.0
)

require (
	github.com/quic-go/quic-go v0.56.0 // indirect
	golang.org/x/crypto v0.45.0 // indirect
)
