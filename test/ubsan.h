/*
 * Options of the sanitizer's library.  It cannot have them from the environment
 * by the time it is loaded, since a server writes its process title there.
 */
extern const char *__ubsan_default_options(void);

__attribute__((weak, visibility("default"))) const char *
__ubsan_default_options(void)
{
	return "abort_on_error=1:print_stacktrace=1";
}
