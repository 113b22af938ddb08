package process

// The fields of events, running processes and lifetimes, for reading and writing. New
// fields go to the end of their frame.

func (c *codec) id(v *ID) {
	number(c, &v.PID)
	number(c, &v.Start)
}

func (c *codec) belongings(v *Groups) {
	c.frame(func() {
		number(c, &v.Session)
		number(c, &v.Group)
		number(c, &v.Terminal)
		number(c, &v.Cgroup.V2)
		number(c, &v.Cgroup.V1)
	})
}

func (c *codec) credentials(v *Credentials) {
	c.frame(func() {
		for _, n := range [...]*uint32{&v.RealUser, &v.EffectiveUser, &v.SavedUser, &v.RealGroup, &v.EffectiveGroup, &v.SavedGroup} {
			number(c, n)
		}
		c.boolean(&v.OtherRoot)
	})
}

func (c *codec) namespaces(v *Namespaces) {
	c.frame(func() {
		for _, n := range [...]*uint32{&v.Cgroup, &v.IPC, &v.Mount, &v.Network, &v.PID, &v.Time, &v.User, &v.UTS} {
			number(c, n)
		}
	})
}

func (c *codec) context(v *SpanContext) {
	c.bytes(v.Trace[:])
	c.bytes(v.Span[:])
}

func (c *codec) remote(v *Remote) {
	c.frame(func() {
		c.context(&v.Context)
		text(c, &v.State)
		c.boolean(&v.Sampled)
		c.boolean(&v.Random)
	})
}

func (c *codec) image(v *Image) {
	c.frame(func() {
		text(c, &v.Filename)
		text(c, &v.Executable)
		text(c, &v.WorkingDirectory)
		text(c, &v.Args)
		number(c, &v.ArgsCount)
		c.boolean(&v.ArgsCut)
		text(c, &v.Environment)
		c.boolean(&v.EnvironmentCut)
		c.boolean(&v.PathCut)
		c.boolean(&v.Deleted)
		text(c, &v.Script)
	})
}

func (c *codec) reexec(v *Reexec) {
	c.frame(func() {
		number(c, &v.At)
		text(c, &v.From)
		c.image(&v.To)
	})
}

func (c *codec) usage(v *Usage) {
	c.frame(func() {
		number(c, &v.UserTime)
		number(c, &v.SystemTime)
		for _, n := range [...]*uint64{&v.PeakRSS, &v.MinorFaults, &v.MajorFaults, &v.Voluntary, &v.Involuntary,
			&v.ReadBytes, &v.WriteBytes, &v.ReadChars, &v.WriteChars} {
			number(c, n)
		}
		number(c, &v.RunDelay)
		c.boolean(&v.RunDelayKnown)
		number(c, &v.ImagePeakRSS)
	})
}

func (c *codec) killer(v *Killer) {
	c.frame(func() {
		c.id(&v.ID)
		number(c, &v.ExecID)
		text(c, &v.Comm)
		text(c, &v.Executable)
	})
}

func (c *codec) oom(v *OOM) {
	c.frame(func() {
		c.boolean(&v.Killed)
		number(c, &v.Limit)
	})
}

// lifetime codes a deferred lifetime: it is not in a trace yet.
func (c *codec) lifetime(v *Lifetime) {
	c.frame(func() {
		c.id(&v.ID)
		number(c, &v.Filtered)
		number(c, &v.ParentPID)
		number(c, &v.Start)
		number(c, &v.End)
		c.boolean(&v.StartEstimated)
		c.boolean(&v.EndEstimated)
		text(c, &v.Comm)
		c.image(&v.Image)
		c.belongings(&v.Groups)
		c.credentials(&v.Credentials)
		c.namespaces(&v.Namespaces)
		number(c, &v.VPID)
		sequence(c, &v.Reexecs, c.reexec)
		number(c, &v.ReexecsDropped)
		number(c, &v.Status)
		c.boolean(&v.Expected)
		c.usage(&v.Usage)
		c.killer(&v.Killer)
		c.oom(&v.OOM)
		number(c, &v.ParentWaiting)
		c.boolean(&v.Forked)
		c.treatment(&v.Treatment)
	})
}

// treatment codes a treatment, which may be nil.
func (c *codec) treatment(v **Treatment) {
	some := *v != nil
	if c.boolean(&some); !some {
		return
	}
	if c.reading {
		*v = new(Treatment)
	}
	c.frame(func() {
		t := *v
		text(c, &t.Args)
		number(c, &t.DropAfter)
		text(c, &t.Attributes)
		text(c, &t.SpanName)
		text(c, &t.FixedName)
		sequence(c, &t.Set, c.setting)
		sequence(c, &t.Resource, c.setting)
		sequence(c, &t.Expected, func(s *Status) { number(c, s) })
	})
}

func (c *codec) setting(v *Setting) {
	text(c, &v.Name)
	text(c, &v.Value)
}

// placement codes where the span of a lifetime is: what a deferred one has not yet.
func (c *codec) placement(v *Lifetime) {
	c.frame(func() {
		c.context(&v.Context)
		text(c, &v.TraceState)
		c.bytes(v.ParentSpan[:])
		c.boolean(&v.ParentRemote)
		c.context(&v.Link)
		c.boolean(&v.LinkRemote)
		text(c, &v.Boundary)
		c.id(&v.Parent)
		c.id(&v.Root)
	})
}

func (c *codec) living(v *Living) {
	c.frame(func() {
		c.id(&v.ID)
		c.id(&v.Parent)
		c.boolean(&v.Execed)
		number(c, &v.ExecID)
		c.boolean(&v.KernelThread)
		c.boolean(&v.Ending)
		c.belongings(&v.Groups)
		c.credentials(&v.Credentials)
		c.namespaces(&v.Namespaces)
		number(c, &v.VPID)
		c.remote(&v.Remote)
		c.image(&v.Image)
		text(c, &v.Executable)
	})
}
