// otelsink: the OpenTelemetry Collector's own OTLP receiver (gRPC on -grpc, HTTP on -http), for tests. What it
// takes it appends to traces.jsonl, metrics.jsonl and logs.jsonl in -dir, one request a line, as OTLP/JSON.
package main

import (
	"context"
	"flag"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/receiver/receivertest"
)

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

// appender gives a function that appends lines to a file.
func appender(dir, name string) func([]byte, error) error {
	file := must(os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644))
	var turn sync.Mutex
	return func(line []byte, err error) error {
		if err != nil {
			return err
		}
		turn.Lock()
		defer turn.Unlock()
		_, err = file.Write(append(line, '\n'))
		return err
	}
}

func main() {
	dir := flag.String("dir", ".", "where the lines go")
	grpc := flag.String("grpc", "127.0.0.1:4317", "OTLP over gRPC")
	http := flag.String("http", "127.0.0.1:4318", "OTLP over HTTP")
	flag.Parse()

	factory := otlpreceiver.NewFactory()
	config := factory.CreateDefaultConfig()
	endpoint := func(at string) map[string]any { return map[string]any{"endpoint": at} }
	protocols := map[string]any{"protocols": map[string]any{"grpc": endpoint(*grpc), "http": endpoint(*http)}}
	if err := confmap.NewFromStringMap(protocols).Unmarshal(config); err != nil {
		log.Fatal(err)
	}
	ctx, settings, host := context.Background(), receivertest.NewNopSettings(factory.Type()), componenttest.NewNopHost()

	write := appender(*dir, "traces.jsonl")
	traces := must(factory.CreateTraces(ctx, settings, config, must(consumer.NewTraces(
		func(_ context.Context, d ptrace.Traces) error { return write((&ptrace.JSONMarshaler{}).MarshalTraces(d)) }))))
	writeMetrics := appender(*dir, "metrics.jsonl")
	metrics := must(factory.CreateMetrics(ctx, settings, config, must(consumer.NewMetrics(
		func(_ context.Context, d pmetric.Metrics) error { return writeMetrics((&pmetric.JSONMarshaler{}).MarshalMetrics(d)) }))))
	writeLogs := appender(*dir, "logs.jsonl")
	logs := must(factory.CreateLogs(ctx, settings, config, must(consumer.NewLogs(
		func(_ context.Context, d plog.Logs) error { return writeLogs((&plog.JSONMarshaler{}).MarshalLogs(d)) }))))

	for _, start := range []func() error{
		func() error { return traces.Start(ctx, host) },
		func() error { return metrics.Start(ctx, host) },
		func() error { return logs.Start(ctx, host) },
	} {
		if err := start(); err != nil {
			log.Fatal(err)
		}
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	<-stop
}
