! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> A fit under way as one packed array.
!>
!> A fit under way is one packed array of double precision numbers owned by the caller: the scalars of
!> `lm_fit`, the pivots, and the arrays of `lm_layout`, one after the other. Nothing else is kept between
!> calls. Sizes are checked against those the fit was begun with; the packed array itself must be one that
!> `start` accepted. (Pointers into it outlive `unpack_fit`, which the standard leaves to the compiler; gfortran
!> passes such arrays by address.)
module packed_state
    use, intrinsic :: iso_c_binding, only: c_loc, c_f_pointer, c_int, c_double
    use kinds, only: wp, long
    use lm, only: lm_fit, lm_layout, layout
    implicit none (type, external)
    private
    public :: unpack_fit, work_begins, packed_size

    integer, parameter :: double_bits = storage_size(1.0_wp)
    integer, parameter :: pivots_per_double = double_bits/storage_size(1_c_int)

contains

    !> Numbers taken by the scalars of a fit.
    pure function scalars_size() result(size)
        integer(long) :: size

        type(lm_fit) :: fit

        size = storage_size(fit)/double_bits  ! which divides it: the record is aligned for doubles
    end function scalars_size

    !> Position of `work` within the packed array.
    pure function work_begins(n) result(first)
        integer, intent(in) :: n
        integer(long) :: first

        first = scalars_size() + (n + pivots_per_double - 1)/pivots_per_double + 1
    end function work_begins

    !> Length of the packed array.
    pure function packed_size(m, n, analytic, bounded) result(size)
        integer, intent(in) :: m, n, analytic
        logical, intent(in) :: bounded
        integer(long) :: size

        type(lm_layout) :: at

        at = layout(m, n, analytic, bounded)
        size = work_begins(n) - 1 + at%size
    end function packed_size

    !> Point at the scalars and the pivots within the packed array.
    subroutine unpack_fit(n, state, fit, ipvt)
        integer, intent(in) :: n
        real(c_double), intent(in), target :: state(*)
        type(lm_fit), pointer, intent(out) :: fit
        integer(c_int), pointer, contiguous, intent(out) :: ipvt(:)

        call c_f_pointer(c_loc(state(1)), fit)
        call c_f_pointer(c_loc(state(1 + scalars_size())), ipvt, [n])
    end subroutine unpack_fit

end module packed_state
