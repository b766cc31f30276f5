package launcher

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"syscall"
	"time"

	"github.com/proa-ml/proa/internal/forks"
	"github.com/proa-ml/proa/internal/pause"
	"github.com/proa-ml/proa/step"
)

// A warm pod's launcher runs one attempt after the other, as the coordinator tells it. It asks for more only when the
// last one has succeeded, so that whatever went wrong ends with its pod.

// originFolder is where the processes to fork from have their files, beside the attempts' work folders.
const originFolder = "proa-forks"

// serveAttempts runs the first attempt, and then those that the coordinator has for this pod.
func serveAttempts(ctx context.Context, cfg config, s Surroundings, opts *Options) int {
	server := forks.NewServer(filepath.Join(cfg.workRoot, originFolder), 1)
	defer server.Close()
	cfg.forker = server
	for {
		l := newLauncher(cfg, s, opts)
		code, err := l.run(ctx)
		if err != nil {
			l.note("%v", err)
		}
		if !l.more {
			return code
		}
		clearScratch(cfg.scratch)
		next, err := l.next(ctx)
		if err != nil {
			l.note("%v", err)
		}
		if next == "" {
			return 0
		}
		cfg.attemptName = next
	}
}

const (
	// holdTimeout is how long the coordinator may take to answer; it says itself that it needs longer.
	holdTimeout = 40 * time.Second
	// orphanLimit is how long a coordinator that can't be reached is tried for. It may be about to be started again.
	orphanLimit = 20 * time.Second
)

// next asks which attempt is to follow; none if the pod is to end.
func (l *launcher) next(ctx context.Context) (string, error) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan bool, 1)
	go func() { ended <- l.awaitEnd(ctx, cancel) }()
	attempt, err := l.insistOnNext(ctx)
	cancel()
	if <-ended {
		return "", nil
	}
	return attempt, err
}

// awaitEnd waits for ctx's end or for a signal to end, which it reports.
func (l *launcher) awaitEnd(ctx context.Context, cancel func()) bool {
	for {
		select {
		case <-ctx.Done():
			return false
		case s := <-l.Signals:
			switch s {
			case syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT:
				cancel()
				return true
			}
		}
	}
}

// insistOnNext asks until there is an answer.
func (l *launcher) insistOnNext(ctx context.Context) (string, error) {
	answered, wait := time.Now(), firstPause
	for {
		attempt, code, err := l.ask(ctx)
		switch {
		case ctx.Err() != nil, code == http.StatusGone:
			return "", nil
		case code == http.StatusOK && attempt != "":
			return attempt, nil
		case code == http.StatusNoContent:
			answered, wait = time.Now(), firstPause
			continue
		case code != 0 && code < http.StatusInternalServerError:
			return "", fmt.Errorf("asking for the next step: the coordinator answered %d", code)
		case time.Since(answered) > orphanLimit:
			return "", fmt.Errorf("asking for the next step: the coordinator answered %d: %w", code, err)
		}
		_ = pause.For(ctx, wait) // the next look sees ctx's end
		wait = min(2*wait, time.Second)
	}
}

// ask asks once. A code of 0 means that there was no answer.
func (l *launcher) ask(ctx context.Context) (attempt string, code int, err error) {
	ctx, cancel := context.WithTimeout(ctx, holdTimeout)
	defer cancel()
	address := "https://" + l.coordinator + "/v1/pods/" + url.PathEscape(l.pod) + "/next?after=" + url.QueryEscape(l.attemptName)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", 0, err
	}
	request.Header.Set("Authorization", "Bearer "+step.Token(l.access.Key, l.pod))
	response, err := l.client.Do(request)
	if err != nil {
		return "", 0, err
	}
	defer func() { _ = response.Body.Close() }()
	data, err := io.ReadAll(io.LimitReader(response.Body, 1<<16))
	var next step.Next
	if err == nil && response.StatusCode == http.StatusOK {
		err = json.Unmarshal(data, &next)
	}
	if err != nil {
		return "", 0, err
	}
	return next.Attempt, response.StatusCode, nil
}
