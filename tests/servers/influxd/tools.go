//go:build tools

// Package influxd names the server program to build, so that `go mod tidy` keeps its requirements.
package influxd

import _ "github.com/influxdata/influxdb/v2/cmd/influxd"
