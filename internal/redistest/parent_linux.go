package redistest

import (
	"os/exec"
	"syscall"
)

// dieWithParent has the process killed when a test ends without its
// clean-ups, as after a timeout.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
