//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
)

// ticks is the unit of /proc/PID/stat, USER_HZ, which Linux fixes at 100.
const ticks = 100

// cpu is the seconds, user plus system, that a process has used: fields 14 and
// 15 of /proc/PID/stat.
func cpu(pid int) (float64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	fields := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	user, err := strconv.Atoi(string(fields[11]))
	if err != nil {
		return 0, err
	}
	system, err := strconv.Atoi(string(fields[12]))
	return float64(user+system) / ticks, err
}

// cpus is the sum over several processes.
func cpus(pids []int) (sum float64, err error) {
	for _, pid := range pids {
		s, err := cpu(pid)
		if err != nil {
			return 0, err
		}
		sum += s
	}
	return sum, nil
}

// rss is the resident memory of a process in bytes.
func rss(pid int) (int, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, err
	}
	pages, err := strconv.Atoi(string(bytes.Fields(b)[1]))
	return pages * os.Getpagesize(), err
}
