package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// Logs prints what the server has written since it was started last, and with follow what it goes on to write.
func (s *Server) Logs(ctx context.Context, out io.Writer, follow bool) (err error) {
	pods, err := s.pods(ctx)
	if err != nil {
		return err
	}
	if len(pods) == 0 {
		return s.notUp()
	}
	newest := slices.MaxFunc(pods, func(a, b corev1.Pod) int { return a.CreationTimestamp.Compare(b.CreationTimestamp.Time) })
	doing := "reading the log of pod " + newest.Name
	stream, err := s.streams.CoreV1().Pods(s.cfg.Namespace).GetLogs(newest.Name, &corev1.PodLogOptions{Follow: follow}).Stream(ctx)
	if err != nil {
		return s.explain(ctx, doing, err)
	}
	defer func() { err = errors.Join(err, stream.Close()) }()
	if _, err := io.Copy(out, stream); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}
