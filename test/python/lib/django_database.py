"""What the tests through Django share: the database, or to be skipped."""
import os

try:
    import django  # noqa: F401
except ImportError:
    print('1..0 # SKIP needs Django')
    raise SystemExit(0)

DATABASE = {
    'ENGINE': 'django.db.backends.postgresql',
    'HOST': os.environ.get('PGHOST', ''),
    'PORT': os.environ.get('PGPORT', ''),
    'USER': os.environ.get('PGUSER', ''),
    'NAME': os.environ.get('PGDATABASE', ''),
}
