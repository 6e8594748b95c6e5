! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> Gaussian peaks as functions by address, for a fit and for a group, which stop at a certain amplitude.
module native_peaks
    use, intrinsic :: iso_c_binding, only: c_associated, c_double, c_int, c_int64_t, c_ptr
    use kinds, only: wp
    implicit none (type, external)
    private
    public :: peaks_of_fit, peaks_of_group

    real(wp), parameter, public :: stopping = 9876.0_wp

contains

    function peaks_of_fit(m, n, x, p, f, jac, data) bind(c) result(code)
        integer(c_int64_t), value :: m, n
        real(c_double), intent(in) :: x(*), p(*)
        real(c_double), intent(inout) :: f(*)
        real(c_double), intent(inout), optional :: jac(*)
        type(c_ptr), value :: data
        integer(c_int) :: code

        real(wp) :: z, e
        integer(c_int64_t) :: i

        code = 0
        if (p(1) == stopping) code = 3
        if (code /= 0 .or. n /= 4 .or. c_associated(data)) return
        do i = 1, m
            z = (x(i) - p(2))/p(3)
            e = exp(-0.5_wp*z*z)
            f(i) = p(1)*e + p(4)
            if (present(jac)) jac(4*i - 3:4*i) = [e, p(1)*e*z/p(3), p(1)*e*z*z/p(3), 1.0_wp]
        end do
    end function peaks_of_fit

    function peaks_of_group(lanes, rows, stride, n, x, p, f, jac, data) bind(c) result(stopped)
        integer(c_int64_t), value :: lanes, rows, stride, n
        real(c_double), intent(in) :: x(*), p(*)
        real(c_double), intent(inout) :: f(*)
        real(c_double), intent(inout), optional :: jac(*)
        type(c_ptr), value :: data
        integer(c_int) :: stopped

        real(wp) :: z, e
        integer(c_int64_t) :: i, l, at

        stopped = 0
        if (n /= 4 .or. c_associated(data)) return
        do l = 1, lanes
            if (p(l) == stopping) stopped = ibset(stopped, int(l) - 1)
            do i = 1, rows
                at = (i - 1)*lanes + l
                z = (x(at) - p(lanes + l))/p(2*lanes + l)
                e = exp(-0.5_wp*z*z)
                f(at) = p(l)*e + p(3*lanes + l)
                if (.not. present(jac)) cycle
                jac(at) = e
                jac(at + stride) = p(l)*e*z/p(2*lanes + l)
                jac(at + 2*stride) = p(l)*e*z*z/p(2*lanes + l)
                jac(at + 3*stride) = 1.0_wp
            end do
        end do
    end function peaks_of_group

end module native_peaks
