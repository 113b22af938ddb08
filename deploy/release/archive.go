package main

import (
	"archive/tar"
	"compress/gzip"
	"io"
)

// writeArchive writes a tar.gz for hosts without a package manager: the same files
// as in the packages, below one folder, where make install would have put them.
func (r *release) writeArchive(arch string, files []file) error {
	folder := "procspan-" + r.version + "-linux-" + arch
	return r.create(folder+".tar.gz", func(w io.Writer) error {
		zip, err := gzip.NewWriterLevel(w, gzip.BestCompression)
		if err != nil {
			return err
		}
		archive := tar.NewWriter(zip)
		for _, f := range files {
			if f.only != "" {
				continue
			}
			h := tar.Header{Name: folder + f.path, Mode: int64(f.mode), Uname: "root", Gname: "root"}
			if err := r.addTo(archive, h, f.data); err != nil {
				return err
			}
		}
		if err := archive.Close(); err != nil {
			return err
		}
		return zip.Close()
	})
}

// addTo adds an entry to a tar, with the release's time.
func (r *release) addTo(archive *tar.Writer, h tar.Header, data []byte) error {
	h.Size, h.ModTime, h.Format = int64(len(data)), r.time, tar.FormatPAX
	if err := archive.WriteHeader(&h); err != nil {
		return err
	}
	_, err := archive.Write(data)
	return err
}
