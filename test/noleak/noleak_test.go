package noleak

import "testing"

func TestFind(t *testing.T) {
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		<-stop
	}()
	if find(0) == nil {
		t.Error("it does not find a goroutine that waits")
	}
	close(stop)
	if err := find(within); err != nil {
		t.Error(err)
	}
	<-ended
}
