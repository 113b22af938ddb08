// Command pin writes the digests of images into .env: those that the tags point to
// now, by the word of the registries. It needs no container engine. Run it by
// make pin.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"oras.land/oras-go/v2/registry/remote"
)

func main() {
	file := flag.String("file", ".env", "the `file` with lines NAME_IMAGE=… and NAME_DIGEST=…")
	flag.Parse()
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if err := pin(ctx, *file); err != nil {
		fmt.Fprintln(os.Stderr, "pin:", err)
		os.Exit(1)
	}
}

// pin replaces the digests in a file: all of them, or after an error none.
func pin(ctx context.Context, path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	images := make(map[string]string) // by name, those whose digest has not come yet
	lines := strings.SplitAfter(string(data), "\n")
	for i, line := range lines {
		variable, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		if name, ok := strings.CutSuffix(variable, "_IMAGE"); ok {
			images[name] = value
		} else if name, ok := strings.CutSuffix(variable, "_DIGEST"); ok {
			image, ok := images[name]
			if !ok {
				return fmt.Errorf("%s:%d: no line %s_IMAGE=… precedes %s", path, i+1, name, variable)
			}
			delete(images, name)
			digest, err := digestOf(ctx, image)
			if err != nil {
				return fmt.Errorf("%s: %w", image, err)
			}
			fmt.Printf("%s@%s\n", image, digest)
			lines[i] = fmt.Sprintf("%s=@%s\n", variable, digest)
		}
	}
	for name := range images {
		return fmt.Errorf("%s: no line %s_DIGEST= follows %[2]s_IMAGE", path, name)
	}
	return os.WriteFile(path, []byte(strings.Join(lines, "")), 0o644)
}

// digestOf asks an image's registry what its tag points to: for an image of several
// architectures their index.
func digestOf(ctx context.Context, image string) (string, error) {
	repository, err := remote.NewRepository(image)
	if err != nil {
		return "", err
	}
	tag := repository.Reference.Reference
	if err := repository.Reference.ValidateReferenceAsTag(); err != nil {
		return "", err
	}
	// A registry on the loopback is asked without TLS, as Docker asks it.
	host, _, _ := net.SplitHostPort(repository.Reference.Host())
	repository.PlainHTTP = net.ParseIP(host).IsLoopback()
	manifest, err := repository.Resolve(ctx, tag)
	if err != nil {
		return "", err
	}
	return manifest.Digest.String(), nil
}
