module posd/internal/oracle

go 1.26.0

require (
	github.com/moov-io/iso8583 v0.23.2
	posd v0.0.0
)

require (
	github.com/mattn/go-colorable v0.1.13 // indirect
	github.com/mattn/go-isatty v0.0.19 // indirect
	github.com/rs/zerolog v1.34.0 // indirect
	github.com/yerden/go-util v1.1.4 // indirect
	golang.org/x/sys v0.48.0 // indirect
	golang.org/x/text v0.30.0 // indirect
)

replace posd => ../..
