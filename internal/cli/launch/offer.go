package launch

import (
	"os"
	"strconv"
	"syscall"

	"github.com/proa-ml/proa/internal/forks"
)

// takeOffer takes the fork that the script may have offered of itself, or lets it end where nothing could use it.
func (l *launch) takeOffer() {
	number, err := strconv.Atoi(l.Env(forks.OfferEnv))
	if err != nil {
		return
	}
	syscall.CloseOnExec(number)
	socket := os.NewFile(uintptr(number), "offer")
	if l.schedule != nil || l.Catalogue.Remote(l.place) {
		_ = socket.Close()
		return
	}
	l.offer = &forks.Offer{Socket: socket, Path: l.pipeline.Source.Interpreter, Dir: l.pipeline.Source.Root, Environ: l.Environ}
}
