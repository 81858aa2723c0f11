/** A queue has the same options in every process. */
export const OPTIONS = {
  attempts: 5,
  // So long after a process died its jobs run elsewhere. Half a second, so that this ends soon; the default is 15.
  lease: '500ms',
}
